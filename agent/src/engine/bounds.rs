//! Where NodePorts and cluster IPs are is told before the first of them is written and after the
//! last of them has gone: what is outside of the bounds is not looked up, though it be served.

use std::collections::BTreeSet;

use dataplane_common::abi::{Addr, Family};

use super::Engine;
use crate::maps::{ApplyError, LbMaps};
use crate::model::Role;
use crate::node_ports::NodePorts;
use crate::service_networks::{ServiceNetworks, addresses_of};
use crate::state::FamilyPort;

impl Engine {
    /// The lowest and the highest NodePort that are or shall be served, if there is any.
    #[must_use]
    pub fn node_port_range(&self) -> Option<(u16, u16)> {
        let ranges = [self.store.node_port_range(), self.realized.node_port_range()];
        let ranges = ranges.into_iter().flatten();
        ranges.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
    }

    /// The NodePorts that shall be served, with that range.
    #[must_use]
    pub fn node_ports(&self) -> NodePorts {
        NodePorts { range: self.node_port_range(), ports: self.store.node_ports() }
    }

    /// Where cluster IPs are.
    #[must_use]
    pub fn service_networks(&self) -> ServiceNetworks {
        let families = [Family::V4, Family::V6].into_iter();
        let taken = families.filter_map(|family| self.realized.cluster_ips(addresses_of(family)));
        ServiceNetworks { taken: taken.collect(), cidrs: self.store.service_cidrs() }
    }

    /// Makes room for what these ports shall have beside what there is.
    pub(super) fn widen(
        &mut self,
        ports: &BTreeSet<FamilyPort>,
        maps: &mut impl LbMaps,
    ) -> Result<(), ApplyError> {
        let mut services = self.service_networks();
        services.taken.extend(self.cluster_ips(ports).map(|addr| (addr, addr)));
        self.tell(&services, maps)
    }

    /// Leaves room for what there is. Where that fails the bounds stay too wide, which costs a
    /// look-up, until the next round.
    pub(super) fn narrow(&mut self, maps: &mut impl LbMaps) -> Result<(), ApplyError> {
        self.tell(&self.service_networks(), maps)
    }

    fn cluster_ips<'a>(
        &'a self,
        ports: &'a BTreeSet<FamilyPort>,
    ) -> impl Iterator<Item = Addr> + 'a {
        let desired = ports.iter().filter_map(|port| self.desired.get(port));
        let frontends = desired.flat_map(|desired| &desired.frontends);
        frontends.filter(|(_, it)| it.role == Role::ClusterIp).map(|(key, _)| key.addr)
    }

    fn tell(
        &mut self,
        services: &ServiceNetworks,
        maps: &mut impl LbMaps,
    ) -> Result<(), ApplyError> {
        let bounds = services.bounds(self.node_port_range());
        if self.bounds != Some(bounds) {
            maps.bound(&bounds)?;
            self.bounds = Some(bounds);
        }
        Ok(())
    }
}
