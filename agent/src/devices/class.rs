//! Which devices are served, and what is behind each.
//!
//! An uplink, by which tunnels are meant as well, leads to other nodes or to the outside: it holds
//! an address of the Node, the default route leaves by it, or the route to the pods or an address
//! of another node. Behind all others are workloads that are not ours.

use std::collections::{BTreeMap, BTreeSet};

use hostnet::addr::Scope;
use hostnet::link::{Layer, Link};
use hostnet::route::Way;
use ipnetwork::IpNetwork;
use serde::{Deserialize, Serialize};

use super::prefixes::{Prefixes, all_bits};
use super::{Devices, Selection};
use crate::model::NodeSpec;
use crate::tunnel;

/// What is behind a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Other nodes, or the outside.
    Uplink,
    /// Pods or containers of somebody else.
    Workloads,
}

impl Class {
    /// The class's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Uplink => "uplink",
            Self::Workloads => "workloads",
        }
    }
}

/// The devices that are served by their indexes: those that carry IP packets of the host itself,
/// so neither ports of another device nor one that packets of another pass through.
#[must_use]
pub fn served<'a>(
    devices: &'a Devices,
    selection: &Selection,
    pods: &BTreeSet<u32>,
) -> BTreeMap<u32, &'a Link> {
    let served = devices.links.iter().filter(|link| {
        !link.is_loopback
            && link.controller.is_none()
            && link.layer != Layer::Other
            && link.kind.as_deref() != Some("ifb")
            && !pods.contains(&link.index)
            && (selection.has(&link.name) || tunnel::is_ours(link))
    });
    served.map(|link| (link.index, link)).collect()
}

/// The indexes of the ports of those `bridges` at which the host has an address: what one port
/// sends to another may be the answer to what the host has routed.
#[must_use]
pub fn ports(devices: &Devices, bridges: &BTreeSet<u32>) -> BTreeSet<u32> {
    let is_bridge = |index: &u32| {
        let link = devices.device(*index).filter(|_| bridges.contains(index));
        link.is_some_and(|link| link.kind.as_deref() == Some("bridge"))
    };
    let global = devices.addresses.iter().filter(|address| address.scope == Scope::Global);
    let routing: BTreeSet<u32> = global.map(|address| address.link).filter(is_bridge).collect();
    let of_routing = |link: &&Link| link.controller.is_some_and(|index| routing.contains(&index));
    devices.links.iter().filter(of_routing).map(|link| link.index).collect()
}

/// The indexes of the uplinks among all devices.
#[must_use]
pub fn uplinks<'a>(
    devices: &Devices,
    ways: &[Way],
    own: Option<&NodeSpec>,
    others: impl Iterator<Item = &'a NodeSpec>,
) -> BTreeSet<u32> {
    let mut routes: Prefixes<BTreeSet<u32>> = Prefixes::default();
    for way in ways {
        routes.value_mut(way.destination).insert(way.link);
    }
    let own_ips = own.into_iter().flat_map(|own| &own.internal_ips);
    let holding = own_ips.filter_map(|ip| devices.holding(*ip)).map(|link| link.index);
    let defaults = ways.iter().filter(|way| way.destination.prefix() == 0).map(|way| way.link);
    let tunnels = devices.links.iter().filter(|link| tunnel::is_ours(link)).map(|link| link.index);
    let mut uplinks: BTreeSet<u32> = holding.chain(defaults).chain(tunnels).collect();
    for other in others {
        let ips = other.internal_ips.iter().copied().map(IpNetwork::from);
        uplinks.extend(ips.filter_map(|ip| nearest(&routes, ip)).flatten());
        uplinks.extend(other.pod_cidrs.iter().flat_map(|network| towards(&routes, *network)));
    }
    with_lower(devices, uplinks)
}

/// With the devices that packets of an uplink pass through: that of a VLAN sees them first.
fn with_lower(devices: &Devices, mut uplinks: BTreeSet<u32>) -> BTreeSet<u32> {
    let mut left: Vec<u32> = uplinks.iter().copied().collect();
    while let Some(index) = left.pop() {
        let lower = devices.device(index).and_then(|link| link.lower);
        left.extend(lower.filter(|lower| uplinks.insert(*lower)));
    }
    uplinks
}

/// The links towards a network: those of routes to it or to parts of it, else of the nearest around
/// it. A route to one address leads to a container, whosever network it took the address from.
fn towards(routes: &Prefixes<BTreeSet<u32>>, network: IpNetwork) -> BTreeSet<u32> {
    let inside = routes.inside(network).filter(|(inside, _)| inside.prefix() < all_bits(inside));
    let inside: BTreeSet<u32> = inside.flat_map(|(_, links)| links).copied().collect();
    if inside.is_empty() {
        return nearest(routes, network).cloned().unwrap_or_default();
    }
    inside
}

fn nearest(routes: &Prefixes<BTreeSet<u32>>, network: IpNetwork) -> Option<&BTreeSet<u32>> {
    routes.around(network).next().map(|(_, links)| links)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::tests::{devices, node};

    fn host() -> Devices {
        devices(&[
            (1, "lo", 65536, &["127.0.0.1/8"]),
            (2, "eth0", 1500, &["192.0.2.1/24"]),
            (3, "storage0", 9000, &["198.51.100.1/24"]),
            (4, "flannel.1", 1450, &["10.1.1.0/32"]),
            (5, "docker0", 1500, &["172.17.0.1/16"]),
            (6, "cni0", 1450, &["10.1.1.1/24"]),
            (7, "wag00c0ffee123", 1500, &[]),
        ])
    }

    fn ways(rows: &[(&str, u32)]) -> Vec<Way> {
        let way = |(text, link): &(&str, u32)| Way {
            destination: text.parse().unwrap(),
            metric: 0,
            link: *link,
        };
        rows.iter().map(way).collect()
    }

    /// The uplinks of a node with these addresses, another node, and routes beside those that the
    /// devices' own addresses make.
    fn found(own: &[&str], other: &NodeSpec, routes: &[(&str, u32)]) -> Vec<u32> {
        const CONNECTED: [(&str, u32); 4] =
            [("192.0.2.0/24", 2), ("198.51.100.0/24", 3), ("172.17.0.0/16", 5), ("10.1.1.0/24", 6)];
        let own = node("a", own, &["10.1.1.0/24"]);
        let routes = ways(&[&CONNECTED, routes].concat());
        uplinks(&host(), &routes, Some(&own), std::iter::once(other)).into_iter().collect()
    }

    #[test]
    fn uplinks_hold_a_nodes_address_or_lead_outside_or_to_nodes() {
        for (name, own, other, routes, expected) in [
            ("address of the Node", vec!["192.0.2.1"], vec![], vec![], vec![2]),
            ("default route", vec![], vec![], vec![("0.0.0.0/0", 3)], vec![3]),
            ("node on the link", vec![], vec!["198.51.100.2"], vec![], vec![3]),
            ("by a route", vec![], vec!["203.0.113.2"], vec![("203.0.113.0/24", 2)], vec![2]),
            ("unreachable", vec![], vec!["203.0.113.2"], vec![], vec![]),
        ] {
            assert_eq!(found(&own, &node("b", &other, &[]), &routes), expected, "{name}");
        }
    }

    #[test]
    fn a_tunnel_of_ours_is_an_uplink_before_any_route_leads_there_and_served_in_any_case() {
        let mut host = host();
        host.links[3].name = "waggle.1".to_owned();
        let own = node("a", &["192.0.2.1"], &["10.1.1.0/24"]);
        for (kind, expected) in [("vxlan", vec![2, 4]), ("bridge", vec![2])] {
            host.links[3].kind = Some(kind.to_owned());
            let found = uplinks(&host, &[], Some(&own), std::iter::empty());
            assert_eq!(found.into_iter().collect::<Vec<_>>(), expected, "{kind}");
            let served = served(&host, &"eth0".parse().unwrap(), &BTreeSet::new());
            assert_eq!(served.into_keys().collect::<Vec<_>>(), expected, "{kind}");
        }
    }

    #[test]
    fn uplinks_lead_to_the_pods_of_other_nodes() {
        for (name, routes, expected) in [
            ("tunnel", vec![("10.1.2.0/24", 4)], vec![2, 4]),
            ("parts", vec![("10.1.2.64/26", 4), ("10.1.2.128/26", 3)], vec![2, 3, 4]),
            ("all pods by one route", vec![("10.1.0.0/16", 4)], vec![2, 4]),
            ("container of another CNI", vec![("10.1.2.7/32", 5)], vec![2]),
        ] {
            let other = node("b", &[], &["10.1.2.0/24"]);
            assert_eq!(found(&["192.0.2.1"], &other, &routes), expected, "{name}");
        }
    }

    #[test]
    fn what_an_uplinks_packets_pass_through_is_an_uplink_too() {
        let mut host = host();
        (host.links[1].lower, host.links[2].lower) = (Some(3), Some(5));
        assert_eq!(with_lower(&host, [2].into()), [2, 3, 5].into());
        assert_eq!(with_lower(&host, [5].into()), [5].into());
    }

    #[test]
    fn served_are_devices_of_the_host_itself() {
        let mut host = host();
        host.links[1].controller = Some(6);
        host.links[2].layer = Layer::Other;
        host.links[4].kind = Some("ifb".to_owned());
        let served = served(&host, &"!fla*".parse().unwrap(), &[7].into());
        assert_eq!(served.into_keys().collect::<Vec<_>>(), [6]);
    }
    #[test]
    fn ports_are_those_of_bridges_with_an_address_of_the_host() {
        let mut host = host();
        for (port, controller) in [(1, 5), (3, 6), (6, 5)] {
            host.links[port].controller = Some(controller);
        }
        for bridge in [1, 4, 5] {
            host.links[bridge].kind = Some("bridge".to_owned());
        }
        let found = |host: &Devices| ports(host, &[5, 6].into());
        assert_eq!(found(&host), [2, 4, 7].into());
        host.links[4].kind = Some("bond".to_owned());
        assert_eq!(found(&host), [4].into());
        host.addresses.retain(|address| address.link != 6);
        assert_eq!(found(&host), [].into());
    }
}
