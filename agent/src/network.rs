//! The node's network as its Node object and its peers' want it: forwarding, hooks at devices,
//! tables of networks, routes to other nodes' pods, and what is left of pods that are gone.

mod crowd;
mod paths;
mod plan;
mod plugin;
mod underlay;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use dataplane_common::abi::{NodeFlags, names};
use hostnet::route::Routes;
use hostnet::{Netlink, Pins, addr, link, netns};
use tracing::info;

use crate::adoption::{self, Adoption};
use crate::config::{Attach, Mode, Vxlan};
use crate::devices::{Devices, Selection, pod_mtu};
use crate::forwarding;
use crate::host_ports;
use crate::loader::hooks::{self, Changes, Scan, Wanted};
use crate::loader::{self, LoadError};
use crate::maps::delivery::DeliveryMaps;
use crate::maps::host_ports::HostPortMaps;
use crate::maps::networks::NetworkMaps;
use crate::masquerade;
use crate::model::NodeSpec;
use crate::networks::PodNetworks;
use crate::node_file::NodeFile;
use crate::node_ports::{self, NodePorts};
use crate::own_pods;
use crate::peers::{self, Ways};
use crate::pods;
use crate::problem::Problem;
use crate::service_networks::ServiceNetworks;
use crate::signs::Lookout;
use crate::tunnel;

pub use plan::{Addresses, Device, Settings};
use plan::{Plan, Seen};

/// The device on which a kube-proxy of mode ipvs keeps every cluster IP: nobody listens there.
const IPVS: &str = "kube-ipvs0";
/// How long after the start a plugin may still attach a program that the start replaced.
const SETTLED: Duration = Duration::from_secs(20);
/// How often processes are looked for that listen on NodePorts, when those do not change.
const LISTENERS: Duration = Duration::from_secs(30);

/// What keeps the node's network as it should be.
pub struct Network {
    own: String,
    netlink: Netlink,
    parts: Parts,
    netns_cookie: Option<u64>,
    /// The ports of sockets and Services, and where cluster IPs are, as of the last look.
    known: Option<(RangeInclusive<u16>, NodePorts, ServiceNetworks)>,
    began: Instant,
    written: Option<NodeFile>,
    shadowed: Shadowed,
    lookout: Lookout,
    /// The index of the tunnel's device.
    tunnel: Option<u32>,
}

/// The processes that listen on NodePorts, and when and where they were looked for.
#[derive(Default)]
struct Shadowed {
    looked: Option<(Instant, Addresses, NodePorts)>,
    problems: BTreeSet<Problem>,
}

/// What the objects of a cluster want of a node's network.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Cluster {
    /// The nodes that are known, by their names.
    pub nodes: BTreeMap<String, NodeSpec>,
    /// Whether those are all, so that routes to others may go.
    pub is_complete: bool,
    /// The NodePorts that are served.
    pub node_ports: NodePorts,
    /// Where cluster IPs are.
    pub services: ServiceNetworks,
}

/// How the network is after it was looked after.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct NetworkState {
    /// The devices that are served.
    pub devices: Vec<Device>,
    /// The node's addresses by what they are for.
    pub addresses: Addresses,
    /// All addresses that its devices hold but for those that kube-proxy keeps on one of its own.
    pub held: BTreeSet<IpAddr>,
    /// Whether another proxy's flows are left alone.
    pub adoption: Adoption,
    /// What is wrong with it.
    pub problems: BTreeSet<Problem>,
}

impl Network {
    /// For the node named `own`, in the calling thread's network namespace.
    ///
    /// # Errors
    /// When the kernel does not tell about that namespace.
    pub fn new(own: &str, netlink: Netlink, parts: Parts) -> hostnet::Result<Self> {
        Ok(Self {
            own: own.to_owned(),
            netlink,
            parts,
            netns_cookie: netns::cookie()?,
            known: None,
            began: Instant::now(),
            written: None,
            shadowed: Shadowed::default(),
            lookout: Lookout::new(adoption::SIGNS),
            tunnel: None,
        })
    }

    /// The addresses that devices of this node hold, as [`NetworkState::held`] has them.
    ///
    /// # Errors
    /// When the host cannot be asked.
    pub async fn held(&self) -> hostnet::Result<BTreeSet<IpAddr>> {
        let links = link::list(&self.netlink).await?;
        let devices = Devices { links, addresses: addr::list(&self.netlink).await? };
        Ok(devices.addresses_apart(IPVS))
    }

    /// The index of the device of the tunnel to other nodes, where there is one: what it loses of its
    /// neighbours is to be put back.
    #[must_use]
    pub fn tunnel(&self) -> Option<u32> {
        self.tunnel
    }

    /// How often it is to be looked after when nothing is heard of it.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.parts.period
    }

    /// Whether what is written to is still what is pinned.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        self.parts.pins.map(names::META).exists()
    }

    /// Whether ports of sockets or Services, or the places of cluster IPs, are others than at the last
    /// look, if there was any.
    #[must_use]
    pub fn is_stale(&self, node_ports: &NodePorts, services: &ServiceNetworks) -> bool {
        let Some((ephemeral, ports, networks)) = &self.known else { return false };
        ports != node_ports
            || networks != services
            || masquerade::ephemeral().is_ok_and(|now| now != *ephemeral)
    }

    /// Looks for rules of another proxy; says whether anything is other than at the last look.
    pub fn look_for_others(&mut self) -> bool {
        let is_other = self.lookout.look(Instant::now());
        if is_other {
            let Adoption { open, because } = Adoption::of(self.lookout.found());
            info!(open, ?because, "looked for rules of another proxy");
        }
        is_other
    }

    /// Makes the network what the nodes want. Whatever is right is not touched.
    ///
    /// # Errors
    /// When the host cannot be asked, or refuses a hook or a table entry. The rest is tried again
    /// with the next call.
    pub async fn ensure(&mut self, cluster: &Cluster, scan: Scan) -> anyhow::Result<NetworkState> {
        let mut seen = self.look().await?;
        self.look_for_others();
        let adoption = Adoption::of(self.lookout.found());
        let mut problems = self.keep_pods(&seen).await?;
        problems.extend(adoption::unseen(&self.lookout));
        let Parts { host_ports, run_dir, boot_id, .. } = &mut self.parts;
        problems.extend(host_ports::keep(host_ports, run_dir, boot_id, &cluster.node_ports)?);
        let own = cluster.nodes.get(&self.own);
        problems.extend(own.is_none().then(|| self.unknown()));
        let pods = seen.pod_links(scan);
        if own.is_none() && !cluster.is_complete {
            // Every table stays as it was: the Node may be there and not be readable.
            problems.extend(self.ensure_hooks(scan, &pods).await?);
            let held = seen.devices.addresses_apart(IPVS);
            return Ok(NetworkState { held, adoption, problems, ..NetworkState::default() });
        }
        let networks = PodNetworks::of(&self.own, &cluster.nodes);
        problems.extend(networks.problems.iter().cloned());
        let tunnel = self.ensure_tunnel(own, &mut seen, &mut problems).await?;
        let plan = Plan::of(&seen, own, cluster, &self.parts.selection, &pods);
        let held = seen.devices.addresses_apart(IPVS);
        let mut state = NetworkState {
            devices: plan.devices(),
            held,
            adoption,
            problems,
            ..Default::default()
        };
        let (ways, unreachable) = self.ways(&networks, &seen, tunnel.as_ref());
        self.ensure_tables(&seen, cluster, &plan, &ways, &mut state)?;
        state.problems.extend(self.ensure_hooks(scan, &plan.roles(&seen, pods)).await?);
        if let Some(own) = own {
            state.problems.extend(unreachable);
            state.problems.extend(self.serve(own, cluster, &seen, &ways).await?);
        }
        let shadowed = self.shadowed.look(&state.addresses, &cluster.node_ports);
        state.problems.extend(shadowed.iter().cloned());
        Ok(state)
    }

    /// Takes out the entries of pods that are gone, and puts back those that were lost.
    async fn keep_pods(&mut self, seen: &Seen) -> anyhow::Result<BTreeSet<Problem>> {
        let Seen { pods, devices, routes, .. } = seen;
        let present = devices.links.iter().map(|link| link.index).collect();
        for addr in self.parts.maps.prune_pods(pods, &present)? {
            info!(pod = %addr.to_ip(), "removed a pod whose device is gone");
        }
        self.parts.maps.prune_unguarded(&present)?;
        let maps = &mut self.parts.maps;
        pods::restore_entries(&self.netlink, maps, pods, devices, &routes.ours).await
    }

    /// Writes the tables before any hook reads them.
    fn ensure_tables(
        &mut self,
        seen: &Seen,
        cluster: &Cluster,
        plan: &Plan<'_>,
        ways: &Ways<'_>,
        state: &mut NetworkState,
    ) -> anyhow::Result<()> {
        let own = cluster.nodes.get(&self.own);
        let Settings { detection, node_port_addresses } = &self.parts.settings;
        let links = self.parts.maps.ensure_links(&seen.links, plan.links(detection))?;
        for (index, now) in links.changed {
            info!(link = index, ?now, "changed the entry of a device");
        }
        state.problems.extend(crowd::crowded(&plan.served, &links.left_out));
        let ephemeral = masquerade::ephemeral()?;
        let range = cluster.node_ports.range;
        let ports = masquerade::ports(ephemeral.clone(), range.map(|(first, last)| first..=last));
        let Cluster { node_ports, services, .. } = cluster;
        self.known = Some((ephemeral, node_ports.clone(), services.clone()));
        state.problems.extend(masquerade::shared_ports(ports));
        let before = self.parts.networks.node()?;
        state.addresses = plan.addresses(seen, own, ports, &before, node_port_addresses);
        let mut networks = state.addresses.networks(seen, own, cluster, ways.pods, detection);
        ways.mark(&mut networks);
        let written = self.parts.networks.ensure_networks(&networks, cluster.is_complete)?;
        if written > 0 {
            info!(written, "wrote the table of networks");
        }
        let (cookie, flags) = (self.netns_cookie.unwrap_or_default(), detection.flags(own));
        let adopting = if state.adoption.open { NodeFlags::ADOPTING } else { NodeFlags::default() };
        let flags = flags.union(adopting);
        let node = state.addresses.node(cookie, cluster, flags, &before);
        let node = own_pods::told(node, own, &seen.pods, &before);
        let node = ways.reach.tunnel.map_or(node, |(tunnel, _)| tunnel.told(node));
        if self.parts.networks.ensure_node(node)? {
            info!(masquerade = ?state.addresses.masquerade, ?ports, node_ports = ?range, "wrote the table of this node");
        }
        Ok(())
    }

    /// What only a node that is known has: forwarding, routes, and a file for the plugin.
    async fn serve(
        &mut self,
        own: &NodeSpec,
        cluster: &Cluster,
        seen: &Seen,
        ways: &Ways<'_>,
    ) -> anyhow::Result<BTreeSet<Problem>> {
        let Seen { pods, devices, routes: present, .. } = seen;
        let (uplinks, mut problems) = devices.uplinks(own);
        problems.extend(forwarding::ensure(&own.pod_cidrs));
        let tunnel = ways.reach.tunnel;
        let (link, are_all) = (tunnel.map(|(_, index)| index), cluster.is_complete);
        let applied = peers::apply(&self.netlink, &ways.items, link, are_all).await?;
        applied.steps.iter().for_each(underlay::log_step);
        problems.extend(applied.problems);
        let lost = pods::lost_routes(pods, &devices.held(own), devices, &present.ours);
        problems.extend(pods::restore_routes(&self.netlink, &lost).await);
        if are_all {
            let tunnel = tunnel.map(|(tunnel, _)| tunnel);
            tunnel::delete_others(&self.netlink, devices, tunnel).await?;
        }
        if let Some(mtu) = pod_mtu(&uplinks) {
            let mtu = mtu.saturating_sub(self.growth(own, devices));
            self.write_node_file(own, devices, mtu)?;
            problems.extend(paths::too_wide(seen, mtu));
        }
        problems.extend(paths::strict(&uplinks).filter(|_| link.is_some()));
        Ok(problems)
    }

    /// Pods first: one that is newer than the devices would look as if its device were gone.
    async fn look(&self) -> anyhow::Result<Seen> {
        let (pods, entries) = (self.parts.maps.pods()?, self.parts.maps.links()?);
        let links = link::list(&self.netlink).await?;
        let devices = Devices { links, addresses: addr::list(&self.netlink).await? };
        Ok(Seen { pods, links: entries, devices, routes: Routes::read(&self.netlink).await? })
    }

    async fn ensure_hooks(
        &self,
        scan: Scan,
        wanted: &Wanted,
    ) -> Result<BTreeSet<Problem>, LoadError> {
        let choice = self.parts.attach.into();
        let changes = hooks::ensure(&self.netlink, &self.parts.pins, choice, scan, wanted).await?;
        if changes == Changes::default() && self.began.elapsed() > SETTLED {
            loader::forget_last(&self.parts.pins)?;
        }
        let Changes { attached, detached, pruned, failed } = changes;
        for hook in attached {
            info!(%hook, "attached");
        }
        for hook in detached {
            info!(%hook, "detached: the device is not served any longer");
        }
        for hook in pruned {
            info!(pin = hook, "removed the pin of a device that is gone");
        }
        Ok(failed.into_iter().map(|cause| Problem::error("hook", cause)).collect())
    }

    fn unknown(&self) -> Problem {
        let message = "is this node, but there is no such object: routes and pods wait \
                       for it; add the Node, or mend --node-name";
        Problem::error(format!("Node {}", self.own), message)
    }
}

impl Shadowed {
    /// Looks when addresses or ports are others than before, and once in a while.
    fn look(&mut self, addresses: &Addresses, ports: &NodePorts) -> &BTreeSet<Problem> {
        let is_fresh = self.looked.as_ref().is_some_and(|(at, before, of)| {
            at.elapsed() < LISTENERS && before == addresses && of == ports
        });
        if !is_fresh {
            self.problems = node_ports::shadowed(&addresses.node_ports, ports);
            self.looked = Some((Instant::now(), addresses.clone(), ports.clone()));
        }
        &self.problems
    }
}

/// What a [`Network`] is made of.
pub struct Parts {
    /// Where programs and links are pinned.
    pub pins: Pins,
    /// How pods of other nodes are reached.
    pub mode: Mode,
    /// The tunnel to other nodes.
    pub vxlan: Vxlan,
    /// How programs are attached.
    pub attach: Attach,
    /// Which devices are served.
    pub selection: Selection,
    /// What is set of senders and entrances.
    pub settings: Settings,
    /// The tables of delivery.
    pub maps: DeliveryMaps,
    /// The tables of ports that lead to pods.
    pub host_ports: HostPortMaps,
    /// The tables of networks.
    pub networks: NetworkMaps,
    /// Where `node.json` is written.
    pub run_dir: PathBuf,
    /// This boot.
    pub boot_id: String,
    /// How often it is looked after when nothing is heard of it.
    pub period: Duration,
}
