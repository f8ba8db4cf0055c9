//! What carries packets to nodes that share no link with this one.

use std::collections::BTreeSet;

use tracing::info;

use super::plan::Seen;
use super::{Network, Parts};
use crate::config::Mode;
use crate::devices::Devices;
use crate::model::NodeSpec;
use crate::networks::PodNetworks;
use crate::peers::{self, Reach, Step, Ways};
use crate::problem::Problem;
use crate::tunnel::{self, Tunnel};

impl Network {
    /// The tunnel with its device's index, unless all nodes are reached without one: a node that is
    /// reached directly may use it for its way back, and one may come that cannot be. A device that
    /// was made or changed is seen from here on, so that its hooks are there before its first packet.
    pub(super) async fn ensure_tunnel(
        &mut self,
        own: Option<&NodeSpec>,
        seen: &mut Seen,
        problems: &mut BTreeSet<Problem>,
    ) -> anyhow::Result<Option<(Tunnel, u32)>> {
        self.tunnel = None;
        let Parts { mode, vxlan, .. } = self.parts;
        let Some(own) = own else { return Ok(None) };
        if mode == Mode::HostGw {
            return Ok(None);
        }
        let tunnel = match Tunnel::of(own, &seen.devices, vxlan) {
            Ok(tunnel) => tunnel,
            Err(problem) => {
                problems.insert(problem);
                return Ok(None);
            }
        };
        match tunnel.ensure(&self.netlink, &seen.devices).await {
            Ok((index, is_changed)) => {
                if is_changed {
                    *seen = self.look().await?;
                }
                self.tunnel = Some(index);
                Ok(Some((tunnel, index)))
            }
            Err(error) => {
                problems.insert(tunnel.refused(&error, &seen.devices));
                Ok(None)
            }
        }
    }

    /// The ways to other nodes, and what is wrong with those that cannot be had.
    pub(super) fn ways<'a>(
        &self,
        pods: &'a PodNetworks<'a>,
        seen: &Seen,
        tunnel: Option<&'a (Tunnel, u32)>,
    ) -> (Ways<'a>, BTreeSet<Problem>) {
        let tunnel = tunnel.map(|(tunnel, index)| (tunnel, *index));
        let reach = Reach { mode: self.parts.mode, tunnel };
        let (items, unreachable) =
            peers::wanted(&self.own, pods, &seen.devices, &seen.routes, reach);
        (Ways { pods, items, reach }, unreachable)
    }

    /// What packets of pods may grow by on their way, in bytes: a node that shares no link may come
    /// at any time.
    pub(super) fn growth(&self, own: &NodeSpec, devices: &Devices) -> u32 {
        let local = devices.held(own).into_iter().next();
        match self.parts.mode {
            Mode::HostGw => 0,
            Mode::Auto | Mode::Vxlan => local.map_or(0, tunnel::headers),
        }
    }
}

pub(super) fn log_step(step: &Step) {
    match step {
        Step::Ensure(item) => info!(%item, "made"),
        Step::Delete(item) => info!(%item, "deleted"),
    }
}
