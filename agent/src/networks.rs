//! Whose networks and addresses are: content of the table `networks`.
//!
//! A network is one node's. Where Nodes overlap, this node's own comes first, then the first by
//! name, and the others are told so.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use dataplane_common::abi::{Network, NetworkFlags, NetworkKind};
use hostnet::addr::Scope;
use ipnetwork::IpNetwork;

use crate::devices::Devices;
use crate::devices::prefixes::{Prefixes, masked};
use crate::model::NodeSpec;
use crate::problem::Problem;

/// Pod networks with their nodes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PodNetworks<'a> {
    /// Those that count, in the order of nodes: this one, then by name.
    pub owned: Vec<(IpNetwork, &'a NodeSpec)>,
    /// Those that others have.
    pub problems: BTreeSet<Problem>,
}

impl<'a> PodNetworks<'a> {
    /// Of all nodes, of which this one is named `own`.
    #[must_use]
    pub fn of(own: &str, nodes: &'a BTreeMap<String, NodeSpec>) -> Self {
        let mut claimed: Prefixes<Option<&NodeSpec>> = Prefixes::default();
        let mut networks = Self::default();
        let others = nodes.iter().filter(|(name, _)| *name != own).map(|(_, node)| node);
        for node in nodes.get(own).into_iter().chain(others) {
            for network in node.pod_cidrs.iter().copied().map(masked) {
                let overlapping = claimed.around(network).chain(claimed.inside(network));
                let owners = overlapping.filter_map(|(held, owner)| Some((held, (*owner)?)));
                let other = owners.into_iter().find(|(_, owner)| owner.name != node.name);
                if let Some((held, owner)) = other {
                    networks.problems.insert(overlap(node, network, owner, held));
                } else if claimed.value_mut(network).replace(node).is_none() {
                    networks.owned.push((network, node));
                }
            }
        }
        networks
    }
}

fn overlap(node: &NodeSpec, network: IpNetwork, owner: &NodeSpec, held: IpNetwork) -> Problem {
    let object = format!("Node {}", node.name);
    let owner = &owner.name;
    let how = if held == network {
        format!("which is also that of Node {owner}, which is routed to")
    } else {
        format!("which overlaps {held} of Node {owner}, which is routed to")
    };
    let remedy = "give one of them another podCIDR";
    Problem::error(object, format!("has the podCIDR {network}, {how}: {remedy}"))
}

/// What each network is.
#[must_use]
pub fn kinds(
    own: Option<&NodeSpec>,
    nodes: &BTreeMap<String, NodeSpec>,
    pods: &PodNetworks<'_>,
    devices: &Devices,
    node_ports: &BTreeSet<IpAddr>,
    service_cidrs: &BTreeSet<IpNetwork>,
) -> BTreeMap<IpNetwork, Network> {
    let is_own = |node: &NodeSpec| own.is_some_and(|own| own.name == node.name);
    let services = service_cidrs.iter().copied().map(masked);
    let mut kinds: BTreeMap<_, _> =
        services.map(|network| (network, of_kind(NetworkKind::Services))).collect();
    for (network, node) in &pods.owned {
        let is_own = is_own(node);
        let kind = if is_own { NetworkKind::OwnPods } else { NetworkKind::OtherPods };
        kinds.insert(*network, of_kind(kind));
        if !is_own {
            // Tunnels like flannel's have the first address of the network.
            kinds.insert(network.ip().into(), of_kind(NetworkKind::OtherNode));
        }
    }
    let others = nodes.values().filter(|node| !is_own(node));
    for ip in others.flat_map(|node| &node.internal_ips) {
        kinds.insert((*ip).into(), of_kind(NetworkKind::OtherNode));
    }
    for address in devices.addresses.iter().filter(|address| address.scope == Scope::Global) {
        kinds.insert(address.network.ip().into(), of_kind(NetworkKind::OwnNode));
    }
    for ip in node_ports {
        let flags = NetworkFlags::NODE_PORTS;
        let own = Network { flags, ..of_kind(NetworkKind::OwnNode) };
        kinds.insert(if ip.is_loopback() { loopback(*ip) } else { (*ip).into() }, own);
    }
    kinds
}

/// The network of loopback addresses that an address is of.
fn loopback(ip: IpAddr) -> IpNetwork {
    let bits = if ip.is_ipv4() { 8 } else { 128 };
    IpNetwork::new(ip, bits).map_or_else(|_| ip.into(), masked)
}

fn of_kind(kind: NetworkKind) -> Network {
    Network { kind: kind.number(), ..Network::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::tests::{devices, node};

    fn cluster(nodes: &[NodeSpec]) -> BTreeMap<String, NodeSpec> {
        nodes.iter().map(|node| (node.name.clone(), node.clone())).collect()
    }

    /// The networks that count beside those of Nodes a, which is this one, and b; and what is told.
    fn decided(other: &str, cidrs: &[&str]) -> (Vec<String>, Vec<String>) {
        let [a, b] = [("a", "10.1.1.0/24"), ("b", "10.1.2.0/24")]
            .map(|(name, cidr)| node(name, &[], &[cidr, cidr]));
        let nodes = cluster(&[a, b, node(other, &[], cidrs)]);
        let PodNetworks { owned, problems } = PodNetworks::of("a", &nodes);
        let text = |(network, node): &(IpNetwork, &NodeSpec)| format!("{network} {}", node.name);
        let mut found: Vec<_> = owned.iter().map(text).collect();
        assert_eq!(found.drain(..2).collect::<Vec<_>>(), ["10.1.1.0/24 a", "10.1.2.0/24 b"]);
        (found, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_network_is_this_nodes_or_the_first_ones_by_name() {
        let same = "10.1.2.0/24, which is also that of Node b";
        let inside = "10.1.2.64/26, which overlaps 10.1.2.0/24 of Node b";
        let around = "10.1.2.0/23, which overlaps 10.1.2.0/24 of Node b";
        let own = "10.1.1.0/25, which overlaps 10.1.1.0/24 of Node a";
        for (other, cidrs, owned, problem) in [
            ("c", vec!["10.1.3.0/24"], vec!["10.1.3.0/24 c"], None),
            ("c", vec!["10.1.2.7/24"], vec![], Some(same)),
            ("c", vec!["10.1.2.64/26", "fd01::/64"], vec!["fd01::/64 c"], Some(inside)),
            ("c", vec!["10.1.2.0/23"], vec![], Some(around)),
            ("0", vec!["10.1.1.0/25"], vec![], Some(own)),
        ] {
            let told = |told| {
                format!(
                    "Node {other} has the podCIDR {told}, which is routed to: give one of them \
                     another podCIDR"
                )
            };
            let owned = owned.into_iter().map(str::to_owned).collect();
            let expected = (owned, problem.map(told).into_iter().collect());
            assert_eq!(decided(other, &cidrs), expected, "{cidrs:?}");
        }
    }

    #[test]
    fn addresses_are_nodes_even_inside_networks_of_pods() {
        let own = node("a", &["192.0.2.1"], &["10.1.1.0/24"]);
        // The second address of the other node is held here: what a device holds is this node's.
        let other = node("b", &["192.0.2.2", "192.0.2.9"], &["10.1.2.0/24", "fd01:2::/64"]);
        let nodes = cluster(&[own.clone(), other]);
        let mut host = devices(&[
            (1, "lo", 65536, &["127.0.0.1/8"]),
            (2, "eth0", 1500, &["192.0.2.1/24", "192.0.2.9/24", "fe80::1/64"]),
            (3, "cni0", 1500, &["10.1.1.1/24"]),
        ]);
        for address in &mut host.addresses {
            if ["127.0.0.1/8", "fe80::1/64"].contains(&address.network.to_string().as_str()) {
                address.scope = Scope::Link;
            }
        }
        let pods = PodNetworks::of("a", &nodes);
        let node_ports = ["192.0.2.1", "127.0.0.1", "::1"].map(|ip| ip.parse().unwrap()).into();
        let cidrs = ["10.96.0.0/12", "10.1.2.0/24"].map(|cidr| cidr.parse().unwrap()).into();
        let kinds = kinds(Some(&own), &nodes, &pods, &host, &node_ports, &cidrs);
        let found: Vec<_> = kinds
            .iter()
            .map(|(network, value)| {
                let served =
                    if value.flags.has(NetworkFlags::NODE_PORTS) { " NodePorts" } else { "" };
                format!("{network} {:?}{served}", NetworkKind::from_number(value.kind))
            })
            .collect();
        let expected = [
            "10.1.1.0/24 OwnPods",
            "10.1.1.1/32 OwnNode",
            "10.1.2.0/24 OtherPods",
            "10.1.2.0/32 OtherNode",
            "10.96.0.0/12 Services",
            "127.0.0.0/8 OwnNode NodePorts",
            "192.0.2.1/32 OwnNode NodePorts",
            "192.0.2.2/32 OtherNode",
            "192.0.2.9/32 OwnNode",
            "::1/128 OwnNode NodePorts",
            "fd01:2::/64 OtherPods",
            "fd01:2::/128 OtherNode",
        ];
        assert_eq!(found, expected);
    }
}
