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
use crate::devices::{self, Class, Devices, Selection};
use crate::loader::hooks::{Role, Scan, Wanted, Wish};
use crate::masquerade::{self, Ports, Sources};
use crate::model::NodeSpec;
use crate::networks::{self, PodNetworks};
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
    pub(super) fn links(&self) -> BTreeMap<u32, abi::Link> {
        let link = |(index, link): (&u32, &&Link)| {
            let flags = match self.class(*index) {
                Class::Uplink => LinkFlags::default(),
                Class::Workloads => LinkFlags::WORKLOADS,
            };
            (*index, abi::Link { mtu: link.mtu, flags })
        };
        self.served.iter().map(link).collect()
    }

    /// What masqueraded flows leave with after those `before`, and where NodePorts are served: at the
    /// Node's addresses that a device holds, without any at all that uplinks have.
    pub(super) fn addresses(
        &self,
        seen: &Seen,
        own: Option<&NodeSpec>,
        ports: Ports,
        before: &Node,
    ) -> Addresses {
        let (devices, ways) = (&seen.devices, &seen.routes.ways);
        let served = self.served.iter().filter(|(index, _)| self.uplinks.contains(index));
        let uplinks = served.map(|(index, link)| (*index, *link)).collect();
        let Sources { v4, v6 } = masquerade::sources(own, devices, ways, &uplinks, before.into());
        let held = own.map(|own| devices.held(own)).unwrap_or_default();
        let mut node_ports: BTreeSet<IpAddr> = held.into_iter().collect();
        if node_ports.is_empty() {
            let global = uplinks.keys().flat_map(|link| masquerade::global(devices, *link));
            node_ports.extend(global);
        }
        let masquerade = v4.map(IpAddr::from).into_iter().chain(v6.map(IpAddr::from)).collect();
        Addresses { masquerade, ports: Some(ports), node_ports }
    }
}

impl Addresses {
    /// Content of the table `node`, which held `before`.
    pub(super) fn node(
        &self,
        netns_cookie: u64,
        node_ports: Option<(u16, u16)>,
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
        // A range that nothing is in.
        let (first_node_port, last_node_port) = node_ports.unwrap_or((1, 0));
        let is_shared = self.ports.is_some_and(|ports| ports.shared);
        let (first_known_port, last_known_port) = masquerade::known(self.ports, before);
        Node {
            netns_cookie,
            masquerade4: v4.unwrap_or(Ipv4Addr::UNSPECIFIED).octets(),
            masquerade6: v6.unwrap_or(Ipv6Addr::UNSPECIFIED).octets(),
            first_port: self.ports.map_or(1, |ports| ports.first),
            last_port: self.ports.map_or(0, |ports| ports.last),
            first_known_port,
            last_known_port,
            first_node_port,
            last_node_port,
            flags: if is_shared { NodeFlags::SHARED_PORTS } else { NodeFlags::default() },
            reserved: [0; 4],
        }
    }

    /// Content of the table `networks`.
    pub(super) fn networks(
        &self,
        seen: &Seen,
        own: Option<&NodeSpec>,
        cluster: &Cluster,
        pods: &PodNetworks<'_>,
    ) -> BTreeMap<IpNetwork, Network> {
        networks::kinds(own, &cluster.nodes, pods, &seen.devices, &self.node_ports)
    }
}

#[cfg(test)]
mod tests {
    use dataplane_common::abi::PodFlags;
    use hostnet::link::Layer;
    use hostnet::route::{Route, Way};

    use super::*;
    use crate::devices::tests::{devices, node};

    fn seen() -> Seen {
        let mut devices = devices(&[
            (1, "lo", 65536, &["127.0.0.1/8"]),
            (2, "eth0", 1500, &["192.0.2.1/24", "192.0.2.7/24", "fd00::1/64"]),
            (3, "tun0", 1400, &[]),
            (4, "cni0", 1450, &["10.1.1.1/24"]),
            (5, "vethport", 1450, &[]),
            (6, "pod0", 1500, &[]),
            (7, "wag00c0ffee123", 1500, &[]),
            (8, "bond0", 1500, &[]),
            (9, "slave0", 1500, &[]),
        ]);
        devices.links[2].layer = Layer::Ip;
        devices.links[3].kind = Some("bridge".to_owned());
        devices.links[4].controller = Some(4);
        devices.links[8].controller = Some(8);
        devices.links[6].kind = Some("veth".to_owned());
        let pod: IpAddr = "10.1.1.9".parse().unwrap();
        let entry = Pod { ifindex: 6, flags: PodFlags::default(), ..Pod::default() };
        let ways = vec![Way { destination: "0.0.0.0/0".parse().unwrap(), metric: 0, link: 2 }];
        let ours = vec![Route::on_link(pod.into(), 6)];
        let (pods, links) = ([(pod.into(), entry)].into(), BTreeMap::new());
        Seen { pods, links, devices, routes: Routes { ours, ways } }
    }

    fn uplink(mtu: u32) -> abi::Link {
        abi::Link { mtu, flags: LinkFlags::default() }
    }

    fn workloads(mtu: u32) -> abi::Link {
        abi::Link { mtu, flags: LinkFlags::WORKLOADS }
    }

    fn planned(own: &NodeSpec, test: impl FnOnce(&Seen, &Plan<'_>, Wanted)) {
        let seen = seen();
        let pods = seen.pod_links(Scan::Pins);
        let cluster = Cluster::default();
        let plan = Plan::of(&seen, Some(own), &cluster, &Selection::default(), &pods);
        test(&seen, &plan, pods);
    }

    #[test]
    fn every_device_has_one_role() {
        planned(&node("a", &["192.0.2.1"], &[]), |seen, plan, pods| {
            let roles: Vec<_> =
                plan.roles(seen, pods).into_values().map(|wish| wish.role).collect();
            let expected = [
                Role::Other,
                Role::Device(Layer::Ethernet),
                Role::Device(Layer::Ip),
                Role::Device(Layer::Ethernet),
                Role::Port,
                Role::Pod,
                Role::InTheMaking,
                Role::Device(Layer::Ethernet),
                Role::Other,
            ];
            assert_eq!(roles, expected);
            let links: Vec<_> = plan.links().into_iter().collect();
            let expected = [
                (2, uplink(1500)),
                (3, workloads(1400)),
                (4, workloads(1450)),
                (8, workloads(1500)),
            ];
            assert_eq!(links, expected);
        });
    }

    #[test]
    fn ports_go_with_their_bridge() {
        for (name, selection, other, expected) in [
            ("served", "", &[][..], Role::Port),
            ("whatever the port is called", "!veth*", &[], Role::Port),
            ("left out", "!cni0", &[], Role::Other),
            ("uplink", "", &["10.1.1.2"], Role::Other),
        ] {
            let mut seen = seen();
            let towards = |destination: &str| Way {
                destination: destination.parse().unwrap(),
                metric: 0,
                link: 4,
            };
            seen.routes.ways.push(towards("10.1.1.0/24"));
            let cluster = Cluster {
                nodes: [("b".to_owned(), node("b", other, &[]))].into(),
                ..Cluster::default()
            };
            let (pods, selection) = (seen.pod_links(Scan::Pins), selection.parse().unwrap());
            let plan = Plan::of(&seen, None, &cluster, &selection, &pods);
            assert_eq!(plan.roles(&seen, pods)[&5].role, expected, "{name}");
        }
    }

    #[test]
    fn an_uplink_stays_one_until_all_nodes_are_known() {
        for (is_complete, expected) in
            [(false, [uplink(1500), uplink(1400)]), (true, [uplink(1500), workloads(1400)])]
        {
            let mut seen = seen();
            // As an agent before has left it: the default route was another, the tunnel is older.
            seen.links = [(2, workloads(1500)), (3, uplink(1280)), (4, workloads(1450))].into();
            let (pods, cluster) =
                (seen.pod_links(Scan::Pins), Cluster { is_complete, ..Cluster::default() });
            let plan = Plan::of(&seen, None, &cluster, &Selection::default(), &pods);
            let links: Vec<_> = plan.links().into_values().take(2).collect();
            assert_eq!(links, expected, "{is_complete}");
        }
    }

    #[test]
    fn node_ports_are_served_at_the_nodes_addresses_else_at_all_of_its_uplinks() {
        for (ips, expected) in [
            (vec!["192.0.2.7"], vec!["192.0.2.7"]),
            (vec!["203.0.113.1"], vec!["192.0.2.1", "192.0.2.7", "fd00::1"]),
            (vec![], vec!["192.0.2.1", "192.0.2.7", "fd00::1"]),
        ] {
            planned(&node("a", &ips, &[]), |seen, plan, _| {
                let ports = Ports { first: 1024, last: 29_999, shared: true };
                let own = node("a", &ips, &[]);
                let before =
                    Node { first_known_port: 40_000, last_known_port: 50_000, ..Node::default() };
                let addresses = plan.addresses(seen, Some(&own), ports, &before);
                let expected: BTreeSet<IpAddr> =
                    expected.iter().map(|ip| ip.parse().unwrap()).collect();
                assert_eq!(addresses.node_ports, expected, "{ips:?}");
                let node = addresses.node(7, Some((30_000, 30_010)), &before);
                let four = if ips == ["192.0.2.7"] { [192, 0, 2, 7] } else { [192, 0, 2, 1] };
                let expected = Node {
                    netns_cookie: 7,
                    masquerade4: four,
                    masquerade6: "fd00::1".parse::<Ipv6Addr>().unwrap().octets(),
                    first_port: 1024,
                    last_port: 29_999,
                    first_known_port: 1024,
                    last_known_port: 50_000,
                    first_node_port: 30_000,
                    last_node_port: 30_010,
                    flags: NodeFlags::SHARED_PORTS,
                    reserved: [0; 4],
                };
                assert_eq!(node, expected, "{ips:?}");
            });
        }
    }
}
