//! The node's network as its Node object and its peers' want it: forwarding, hooks at uplinks, MTUs
//! of devices, routes to other nodes' pods, and what is left of pods that are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use dataplane_common::abi::{Addr, Pod, names};
use hostnet::route::{self, Route};
use hostnet::{Netlink, Pins, addr, link};
use serde::{Deserialize, Serialize};
use tracing::info;

use crate::config::Attach;
use crate::forwarding;
use crate::loader::hooks::{self, Changes, Scan, UplinkHook, Wanted};
use crate::loader::{self, LoadError};
use crate::maps::delivery::DeliveryMaps;
use crate::model::NodeSpec;
use crate::node_file::{self, NodeFile};
use crate::peers::{self, Step};
use crate::pods;
use crate::problem::Problem;
use crate::uplink::{Devices, pod_mtu};

/// How long after the start a plugin may still attach a program that the start replaced.
const SETTLED: Duration = Duration::from_secs(20);

/// What keeps the node's network as it should be.
pub struct Network {
    own: String,
    netlink: Netlink,
    pins: Pins,
    attach: Attach,
    maps: DeliveryMaps,
    run_dir: PathBuf,
    boot_id: String,
    began: Instant,
    written: Option<NodeFile>,
}

/// The nodes of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Cluster {
    /// Those that are known, by their names.
    pub nodes: BTreeMap<String, NodeSpec>,
    /// Whether those are all, so that routes to others may go.
    pub is_complete: bool,
}

/// A device that holds addresses of the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uplink {
    /// Its name.
    pub device: String,
    /// Its MTU.
    pub mtu: u32,
}

/// How the network is after it was looked after.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct NetworkState {
    /// The node's uplinks.
    pub uplinks: Vec<Uplink>,
    /// What is wrong with it.
    pub problems: BTreeSet<Problem>,
}

/// What the host has.
struct Seen {
    pods: BTreeMap<Addr, Pod>,
    devices: Devices,
    routes: Vec<Route>,
}

impl Seen {
    /// The links of pods that should have hooks. One that the plugin is at work on has a route and
    /// no entry: its hooks are left to the plugin, but for a start, which may follow a clean-up.
    fn hooked(&self, scan: Scan) -> BTreeMap<u32, String> {
        let has_entry = |index| self.pods.values().any(|pod| pod.ifindex == index);
        let links = pods::links(&self.devices, &self.routes).into_iter();
        let links = links.filter(|(index, _)| scan == Scan::Everything || has_entry(*index));
        links.map(|(index, link)| (index, link.name.clone())).collect()
    }
}

impl Network {
    /// For the node named `own`.
    #[must_use]
    pub fn new(own: &str, netlink: Netlink, parts: Parts) -> Self {
        let Parts { pins, attach, maps, run_dir, boot_id } = parts;
        let own = own.to_owned();
        let began = Instant::now();
        Self { own, netlink, pins, attach, maps, run_dir, boot_id, began, written: None }
    }

    /// Whether what is written to is still what is pinned.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        self.pins.map(names::META).exists()
    }

    /// Makes the network what the nodes want. Whatever is right is not touched.
    ///
    /// # Errors
    /// When the host cannot be asked, or refuses a hook or a table entry. The rest is tried again
    /// with the next call.
    pub async fn ensure(&mut self, cluster: &Cluster, scan: Scan) -> anyhow::Result<NetworkState> {
        let seen = self.look().await?;
        let present = seen.devices.links.iter().map(|link| link.index).collect();
        for addr in self.maps.prune_pods(&seen.pods, &present)? {
            info!(pod = %addr.to_ip(), "removed a pod whose device is gone");
        }
        let Seen { pods, devices, routes } = &seen;
        let lost =
            pods::restore_entries(&self.netlink, &mut self.maps, pods, devices, routes).await?;
        let Some(own) = cluster.nodes.get(&self.own) else {
            let wanted = Wanted { uplinks: None, pods: seen.hooked(scan) };
            let mut problems = self.ensure_hooks(scan, &wanted).await?;
            problems.extend(lost);
            problems.insert(self.unknown());
            return Ok(NetworkState { uplinks: Vec::new(), problems });
        };
        let mut state = self.serve(own, cluster, &seen, scan).await?;
        state.problems.extend(lost);
        Ok(state)
    }

    async fn serve(
        &mut self,
        own: &NodeSpec,
        cluster: &Cluster,
        seen: &Seen,
        scan: Scan,
    ) -> anyhow::Result<NetworkState> {
        let Seen { pods, devices, routes: present } = seen;
        let (uplinks, mut problems) = devices.uplinks(own);
        let (routes, unreachable) = peers::wanted(&self.own, &cluster.nodes, devices);
        problems.extend(unreachable);
        problems.extend(forwarding::ensure(&own.pod_cidrs));
        let leaving = routes.iter().map(|route| route.link).chain(uplinks.keys().copied());
        self.ensure_mtus(devices, &leaving.collect())?;
        let hooks = uplinks.iter().map(|(index, link)| (*index, UplinkHook::of(link))).collect();
        let wanted = Wanted { uplinks: Some(hooks), pods: seen.hooked(scan) };
        problems.extend(self.ensure_hooks(scan, &wanted).await?);
        let applied = peers::apply(&self.netlink, &routes, cluster.is_complete).await?;
        applied.steps.iter().for_each(log_step);
        problems.extend(applied.problems);
        let lost = pods::lost_routes(pods, &devices.held(own), devices, present);
        problems.extend(pods::restore_routes(&self.netlink, &lost).await);
        if let Some(mtu) = pod_mtu(&uplinks) {
            self.write_node_file(own, devices, mtu)?;
        }
        let uplink = |link: &&link::Link| Uplink { device: link.name.clone(), mtu: link.mtu };
        Ok(NetworkState { uplinks: uplinks.values().map(uplink).collect(), problems })
    }

    /// Pods first: one that is newer than the devices would look as if its device were gone.
    async fn look(&self) -> anyhow::Result<Seen> {
        let pods = self.maps.pods()?;
        let links = link::list(&self.netlink).await?;
        let devices = Devices { links, addresses: addr::list(&self.netlink).await? };
        Ok(Seen { pods, devices, routes: route::list(&self.netlink).await? })
    }

    fn ensure_mtus(&mut self, devices: &Devices, leaving: &BTreeSet<u32>) -> anyhow::Result<()> {
        let links = devices.links.iter().filter(|link| leaving.contains(&link.index));
        let mtus = links.map(|link| (link.index, link.mtu)).collect();
        for index in self.maps.ensure_links(&mtus)? {
            info!(link = index, mtu = mtus.get(&index), "changed the MTU that packets are held to");
        }
        Ok(())
    }

    async fn ensure_hooks(
        &self,
        scan: Scan,
        wanted: &Wanted,
    ) -> Result<BTreeSet<Problem>, LoadError> {
        let choice = self.attach.into();
        let changes = hooks::ensure(&self.netlink, &self.pins, choice, scan, wanted).await?;
        if changes == Changes::default() && self.began.elapsed() > SETTLED {
            loader::forget_last(&self.pins)?;
        }
        let Changes { attached, pruned, failed } = changes;
        for hook in attached {
            info!(%hook, "attached");
        }
        for hook in pruned {
            info!(pin = hook, "removed the pin of a device that is gone");
        }
        Ok(failed.into_iter().map(|cause| Problem::error("hook", cause)).collect())
    }

    fn write_node_file(
        &mut self,
        own: &NodeSpec,
        devices: &Devices,
        mtu: u32,
    ) -> std::io::Result<()> {
        let file = NodeFile {
            boot_id: self.boot_id.clone(),
            pod_cidrs: own.pod_cidrs.clone(),
            mtu,
            node_ips: devices.held(own),
            attach: self.attach,
        };
        if self.written.as_ref() != Some(&file) || !node_file::path(&self.run_dir).exists() {
            file.write(&self.run_dir)?;
            info!(mtu, "wrote node.json");
            self.written = Some(file);
        }
        Ok(())
    }

    fn unknown(&self) -> Problem {
        let message = "is this node, but there is no such object: uplink, routes and pods wait \
                       for it; add the Node, or mend --node-name";
        Problem::error(format!("Node {}", self.own), message)
    }
}

/// What a [`Network`] is made of.
pub struct Parts {
    /// Where programs and links are pinned.
    pub pins: Pins,
    /// How programs are attached.
    pub attach: Attach,
    /// The tables of delivery.
    pub maps: DeliveryMaps,
    /// Where `node.json` is written.
    pub run_dir: PathBuf,
    /// This boot.
    pub boot_id: String,
}

fn log_step(step: &Step) {
    match step {
        Step::Ensure(route) => info!(%route, "made"),
        Step::Delete(route) => info!(%route, "deleted"),
    }
}
