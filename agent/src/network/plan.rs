//! What follows from what the host has and the nodes want: roles of devices, and what stands in the
//! tables of networks. Nothing is asked or changed here.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use dataplane_common::abi::{self, Addr, LinkFlags, Network, Node, NodeFlags, Pod};
use hostnet::link::Link;
use hostnet::route::Routes;
use ipnetwork::IpNetwork;
use serde::{Deserialize, Serialize};

use super::Cluster;
use crate::config::NodePortAddress;
use crate::detection::Detection;
use crate::devices::{self, Class, Devices, Selection};
use crate::loader::hooks::{Role, Scan, Wanted, Wish};
use crate::masquerade::{self, Ports, Sources};
use crate::model::NodeSpec;
use crate::networks::{self, PodNetworks};
use crate::node_port_addresses;
use crate::pods;

/// What the host has.
pub(super) struct Seen {
    pub(super) pods: BTreeMap<Addr, Pod>,
    /// Content of the table `links`.
    pub(super) links: BTreeMap<u32, abi::Link>,
    pub(super) devices: Devices,
    pub(super) routes: Routes,
}

/// A device that is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its name.
    pub device: String,
    /// Its MTU.
    pub mtu: u32,
    /// What is behind it.
    pub class: Class,
}

/// What masqueraded flows leave with, and where NodePorts are served.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Addresses {
    /// Source addresses of masqueraded flows, at most one of each family.
    pub masquerade: Vec<IpAddr>,
    /// Source ports of masqueraded flows.
    pub ports: Option<Ports>,
    /// The node's addresses at which NodePorts are served.
    pub node_ports: BTreeSet<IpAddr>,
}

/// What is set of senders and entrances, and not found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Who counts as a pod of this node.
    pub detection: Detection,
    /// At which addresses NodePorts are served.
    pub node_port_addresses: Vec<NodePortAddress>,
}

/// The devices with their roles.
pub(super) struct Plan<'a> {
    pub(super) served: BTreeMap<u32, &'a Link>,
    /// Ports of the bridges among them that workloads are behind.
    ports: BTreeSet<u32>,
    pub(super) uplinks: BTreeSet<u32>,
}

impl Seen {
    /// The devices that were uplinks at the last look, which may have been another agent's.
    fn uplinks_before(&self) -> impl Iterator<Item = u32> {
        let uplinks = self.links.iter().filter(|(_, link)| !link.flags.has(LinkFlags::WORKLOADS));
        uplinks.map(|(index, _)| *index)
    }

    /// The links of this node's pods. One that the plugin is at work on has a name and may have a
    /// route, and no entry: its hooks are left to the plugin, but for a start, which may follow a
    /// clean-up.
    pub(super) fn pod_links(&self, scan: Scan) -> Wanted {
        let entered: BTreeSet<u32> = self.pods.values().map(|pod| pod.ifindex).collect();
        let routed = pods::links(&self.devices, &self.routes.ours);
        let named = self.devices.links.iter().filter(|link| link.is_named_for_pod());
        let listed = self.devices.links.iter().filter(|link| entered.contains(&link.index));
        let all: BTreeMap<u32, &Link> =
            named.chain(listed).map(|link| (link.index, link)).chain(routed.clone()).collect();
        let wish = |(index, link): (u32, &Link)| {
            let is_whole = entered.contains(&index) || scan == Scan::Everything;
            let is_hooked = is_whole && routed.contains_key(&index);
            let role = if is_hooked { Role::Pod } else { Role::InTheMaking };
            (index, Wish { device: link.name.clone(), role })
        };
        all.into_iter().map(wish).collect()
    }
}

impl<'a> Plan<'a> {
    pub(super) fn of(
        seen: &'a Seen,
        own: Option<&NodeSpec>,
        cluster: &Cluster,
        selection: &Selection,
        pods: &Wanted,
    ) -> Self {
        let is_own = |node: &&NodeSpec| own.is_some_and(|own| own.name == node.name);
        let others = cluster.nodes.values().filter(|node| !is_own(node));
        let mut uplinks = devices::uplinks(&seen.devices, &seen.routes.ways, own, others);
        if !cluster.is_complete {
            // They may lead to nodes that are not known yet.
            uplinks.extend(seen.uplinks_before());
        }
        let pods = pods.keys().copied().collect();
        let served = devices::served(&seen.devices, selection, &pods);
        let bridges = served.keys().filter(|index| !uplinks.contains(index)).copied().collect();
        let ports = devices::ports(&seen.devices, &bridges);
        Self { served, ports, uplinks }
    }

    fn class(&self, index: u32) -> Class {
        if self.uplinks.contains(&index) { Class::Uplink } else { Class::Workloads }
    }

    /// The role of every device.
    pub(super) fn roles(&self, seen: &Seen, mut pods: Wanted) -> Wanted {
        for link in &seen.devices.links {
            let wish = || Wish { device: link.name.clone(), role: self.role(link) };
            pods.entry(link.index).or_insert_with(wish);
        }
        pods
    }

    fn role(&self, link: &Link) -> Role {
        if self.served.contains_key(&link.index) {
            Role::Device(link.layer)
        } else if self.ports.contains(&link.index) {
            Role::Port
        } else {
            Role::Other
        }
    }

    /// The devices for status.
    pub(super) fn devices(&self) -> Vec<Device> {
        let device = |(index, link): (&u32, &&Link)| Device {
            device: link.name.clone(),
            mtu: link.mtu,
            class: self.class(*index),
        };
        self.served.iter().map(device).collect()
    }

    /// Content of the table `links`.
    pub(super) fn links(&self, detection: &Detection) -> BTreeMap<u32, abi::Link> {
        let link = |(index, link): (&u32, &&Link)| {
            let class = match self.class(*index) {
                Class::Uplink => LinkFlags::default(),
                Class::Workloads => LinkFlags::WORKLOADS,
            };
            let counts = detection.has_device(&link.name);
            let pods = if counts { LinkFlags::LOCAL_PODS } else { LinkFlags::default() };
            let flags = class.union(pods);
            (*index, abi::Link { mtu: link.mtu, flags })
        };
        self.served.iter().map(link).collect()
    }

    /// What masqueraded flows leave with after those `before`, and where NodePorts are served.
    pub(super) fn addresses(
        &self,
        seen: &Seen,
        own: Option<&NodeSpec>,
        ports: Ports,
        before: &Node,
        wanted: &[NodePortAddress],
    ) -> Addresses {
        let (devices, ways) = (&seen.devices, &seen.routes.ways);
        let served = self.served.iter().filter(|(index, _)| self.uplinks.contains(index));
        let uplinks = served.map(|(index, link)| (*index, *link)).collect();
        let Sources { v4, v6 } = masquerade::sources(own, devices, ways, &uplinks, before.into());
        let global = uplinks.keys().flat_map(|link| masquerade::global(devices, *link)).collect();
        let node_ports = node_port_addresses::served(wanted, own, devices, &global);
        let masquerade = v4.map(IpAddr::from).into_iter().chain(v6.map(IpAddr::from)).collect();
        Addresses { masquerade, ports: Some(ports), node_ports }
    }
}

impl Addresses {
    /// Content of the table `node`, which held `before`.
    pub(super) fn node(
        &self,
        netns_cookie: u64,
        cluster: &Cluster,
        detection: NodeFlags,
        before: &Node,
    ) -> Node {
        let v4 = self.masquerade.iter().find_map(|ip| match ip {
            IpAddr::V4(ip) => Some(*ip),
            IpAddr::V6(_) => None,
        });
        let v6 = self.masquerade.iter().find_map(|ip| match ip {
            IpAddr::V6(ip) => Some(*ip),
            IpAddr::V4(_) => None,
        });
        let is_shared = self.ports.is_some_and(|ports| ports.shared);
        let shared = if is_shared { NodeFlags::SHARED_PORTS } else { NodeFlags::default() };
        let (first_known_port, last_known_port) = masquerade::known(self.ports, before);
        Node {
            netns_cookie,
            masquerade4: v4.unwrap_or(Ipv4Addr::UNSPECIFIED).octets(),
            masquerade6: v6.unwrap_or(Ipv6Addr::UNSPECIFIED).octets(),
            first_port: self.ports.map_or(1, |ports| ports.first),
            last_port: self.ports.map_or(0, |ports| ports.last),
            first_known_port,
            last_known_port,
            flags: detection.union(shared),
            ..cluster.services.bounds(cluster.node_ports.range).told(Node::default())
        }
    }

    /// Content of the table `networks`.
    pub(super) fn networks(
        &self,
        seen: &Seen,
        own: Option<&NodeSpec>,
        cluster: &Cluster,
        pods: &PodNetworks<'_>,
        detection: &Detection,
    ) -> BTreeMap<IpNetwork, Network> {
        let (devices, cidrs) = (&seen.devices, &cluster.services.cidrs);
        let mut kinds =
            networks::kinds(own, &cluster.nodes, pods, devices, &self.node_ports, cidrs);
        detection.mark(own, &mut kinds);
        kinds
    }
}

#[cfg(test)]
mod tests;
