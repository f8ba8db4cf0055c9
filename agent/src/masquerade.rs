//! What masqueraded flows leave with: an address of this node for each family, and ports that its
//! own sockets do not get.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use dataplane_common::abi::Node;
use hostnet::addr::Scope;
use hostnet::link::Link;
use hostnet::route::Way;
use hostnet::sysctl;
use serde::{Deserialize, Serialize};

use crate::devices::Devices;
use crate::model::NodeSpec;
use crate::problem::Problem;

/// Where the kernel keeps the ports that sockets get which ask for none.
const EPHEMERAL: &str = "net/ipv4/ip_local_port_range";
/// The NodePorts of a cluster that does not say otherwise: never used, so that the first NodePort
/// does not move the range.
const NODE_PORTS: RangeInclusive<u16> = 30_000..=32_767;
/// The ports there are but for those of well-known services.
const PORTS: RangeInclusive<u16> = 1024..=65_535;
/// With fewer ports, flows to one backend could be too many.
const ENOUGH: usize = 4096;

/// Source addresses of masqueraded flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Sources {
    /// The one of IPv4.
    pub v4: Option<Ipv4Addr>,
    /// The one of IPv6.
    pub v6: Option<Ipv6Addr>,
}

/// Source ports of masqueraded flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
    /// Whether the node's own sockets may get them too.
    pub shared: bool,
}

/// The source of each family: the Node's first address that a device holds, else the first of the
/// device of the default route, else the first of any uplink. One that was the source before stays
/// it among its like, because flows have it.
#[must_use]
pub fn sources(
    own: Option<&NodeSpec>,
    devices: &Devices,
    ways: &[Way],
    uplinks: &BTreeMap<u32, &Link>,
    before: Sources,
) -> Sources {
    let held = own.map(|own| devices.held(own)).unwrap_or_default();
    let mut defaults: Vec<_> = ways.iter().filter(|way| way.destination.prefix() == 0).collect();
    defaults.sort_by_key(|way| way.metric);
    let links = defaults.iter().map(|way| way.link).chain(uplinks.keys().copied());
    let fallback = links.flat_map(|link| global(devices, link)).collect();
    let of_uplinks = uplinks.keys().flat_map(|link| global(devices, *link)).collect();
    let ranks = [(&held, &held), (&fallback, &of_uplinks)];
    Sources { v4: first(&ranks, before.v4, v4), v6: first(&ranks, before.v6, v6) }
}

/// The address of a family from the first rank that has any: the one `before`, where it is among
/// the rank's second list, else the first of the rank's first.
fn first<T: Copy + PartialEq>(
    ranks: &[(&Vec<IpAddr>, &Vec<IpAddr>)],
    before: Option<T>,
    family: fn(&IpAddr) -> Option<T>,
) -> Option<T> {
    ranks.iter().find_map(|(all, staying)| {
        let stays =
            before.filter(|before| staying.iter().filter_map(family).any(|ip| ip == *before));
        stays.or_else(|| all.iter().find_map(family))
    })
}

const fn v4(ip: &IpAddr) -> Option<Ipv4Addr> {
    match ip {
        IpAddr::V4(ip) => Some(*ip),
        IpAddr::V6(_) => None,
    }
}

const fn v6(ip: &IpAddr) -> Option<Ipv6Addr> {
    match ip {
        IpAddr::V6(ip) => Some(*ip),
        IpAddr::V4(_) => None,
    }
}

impl From<&Node> for Sources {
    fn from(node: &Node) -> Self {
        let v4 = Ipv4Addr::from(node.masquerade4);
        let v6 = Ipv6Addr::from(node.masquerade6);
        Self {
            v4: Some(v4).filter(|ip| !ip.is_unspecified()),
            v6: Some(v6).filter(|ip| !ip.is_unspecified()),
        }
    }
}

/// The first and the last port that masqueraded flows may have: from the given ones to all that the
/// table held `before`, which live flows have.
#[must_use]
pub fn known(ports: Option<Ports>, before: &Node) -> (u16, u16) {
    // A table that nobody has written yet is all zero.
    let earlier = (before.first_known_port, before.last_known_port);
    let earlier = Some(earlier).filter(|(first, last)| *last > 0 && first <= last);
    match (ports.map(|Ports { first, last, .. }| (first, last)), earlier) {
        (Some(now), Some(earlier)) => (now.0.min(earlier.0), now.1.max(earlier.1)),
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => (1, 0),
    }
}

/// The addresses of a device that are valid anywhere.
pub(crate) fn global(devices: &Devices, link: u32) -> impl Iterator<Item = IpAddr> {
    let of_link = devices
        .addresses
        .iter()
        .filter(move |address| address.link == link && address.scope == Scope::Global);
    of_link.map(|address| address.network.ip())
}

/// The most ports in a row that are neither NodePorts nor `ephemeral`, which sockets get. Where
/// those are too few, the most that are no NodePorts, shared with sockets.
#[must_use]
pub fn ports(ephemeral: RangeInclusive<u16>, node_ports: Option<RangeInclusive<u16>>) -> Ports {
    let taken: Vec<_> = std::iter::once(NODE_PORTS).chain(node_ports).collect();
    let apart = largest_gap(taken.iter().cloned().chain([ephemeral]));
    if let Some(gap) = apart.filter(|gap| gap.len() >= ENOUGH) {
        return Ports { first: *gap.start(), last: *gap.end(), shared: false };
    }
    // Where NodePorts leave nothing, those that a cluster does not use by itself are the lesser evil.
    let gap = largest_gap(taken.into_iter()).unwrap_or(*NODE_PORTS.end() + 1..=*PORTS.end());
    Ports { first: *gap.start(), last: *gap.end(), shared: true }
}

/// The most ports in a row that no range has; of several such rows the first.
fn largest_gap(taken: impl Iterator<Item = RangeInclusive<u16>>) -> Option<RangeInclusive<u16>> {
    let mut taken: Vec<_> =
        taken.map(|range| (u32::from(*range.start()), u32::from(*range.end()))).collect();
    taken.sort_unstable();
    let end = u32::from(*PORTS.end()) + 1;
    let (mut next, mut best) = (u32::from(*PORTS.start()), 0..0);
    for (first, last) in taken.into_iter().chain([(end, end)]) {
        let gap = next..first.min(end);
        if gap.len() > best.len() {
            best = gap;
        }
        next = next.max(last + 1);
    }
    let [first, last] = [best.start, best.end.checked_sub(1)?].map(u16::try_from);
    Some(first.ok()?..=last.ok()?)
}

/// The ports that sockets get which ask for none, as of now.
///
/// # Errors
/// When the kernel does not tell them.
pub fn ephemeral() -> hostnet::Result<RangeInclusive<u16>> {
    Ok(range(&sysctl::get(EPHEMERAL)?).unwrap_or(PORTS))
}

fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let mut words = text.split_whitespace().map(str::parse);
    let (first, last) = (words.next()?.ok()?, words.next()?.ok()?);
    Some(first..=last)
}

/// What is wrong with ports that sockets may get too.
#[must_use]
pub fn shared_ports(ports: Ports) -> BTreeSet<Problem> {
    let Ports { first, last, shared } = ports;
    let message = format!(
        "leaves no {ENOUGH} ports in a row beside the NodePorts: masqueraded flows share \
         {first}-{last} with the node's own sockets, which costs each new flow a look-up; make the \
         range smaller"
    );
    shared.then(|| Problem::note(format!("sysctl {EPHEMERAL}"), message)).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::tests::{devices, node};

    #[test]
    fn ports_are_the_most_in_a_row_that_nobody_else_uses() {
        for (ephemeral, node_ports, first, last, shared) in [
            (32_768..=60_999, None, 1024, 29_999, false),
            (32_768..=60_999, Some(30_000..=30_100), 1024, 29_999, false),
            (32_768..=60_999, Some(20_000..=22_767), 1024, 19_999, false),
            (32_768..=60_999, Some(1..=29_000), 60_999 + 1, 65_535, false),
            (1024..=40_000, None, 40_001, 65_535, false),
            (10_000..=65_535, None, 1024, 9999, false),
            (5120..=65_535, None, 1024, 5119, false),
            (5119..=65_535, None, 32_768, 65_535, true),
            (1024..=65_535, None, 32_768, 65_535, true),
            (1024..=65_535, Some(32_000..=60_000), 1024, 29_999, true),
            (1..=65_535, Some(1..=65_535), 32_768, 65_535, true),
        ] {
            let found = ports(ephemeral.clone(), node_ports.clone());
            let expected = Ports { first, last, shared };
            assert_eq!(found, expected, "{ephemeral:?} {node_ports:?}");
        }
    }

    #[test]
    fn ports_that_flows_may_have_are_all_that_were_ever_given() {
        let ports = |first, last| Some(Ports { first, last, shared: false });
        for (now, before, expected) in [
            (ports(1024, 29_999), (0, 0), (1024, 29_999)),
            (ports(1024, 9999), (1024, 29_999), (1024, 29_999)),
            (ports(32_768, 65_535), (1024, 29_999), (1024, 65_535)),
            (ports(2000, 2001), (1, 0), (2000, 2001)),
            (None, (1024, 29_999), (1024, 29_999)),
            (None, (0, 0), (1, 0)),
        ] {
            let (first_known_port, last_known_port) = before;
            let before = Node { first_known_port, last_known_port, ..Node::default() };
            assert_eq!(known(now, &before), expected, "{now:?} {before:?}");
        }
    }

    #[test]
    fn a_range_is_read_as_the_kernel_writes_it() {
        for (text, expected) in [
            ("32768\t60999", Some(32_768..=60_999)),
            ("1 2\n", Some(1..=2)),
            ("1", None),
            ("a b", None),
            ("1 70000", None),
        ] {
            assert_eq!(range(text), expected, "{text:?}");
        }
    }

    fn way(link: u32, metric: u32) -> Way {
        Way { destination: "0.0.0.0/0".parse().unwrap(), metric, link }
    }

    #[test]
    fn sources_are_the_nodes_own_else_those_of_the_default_route() {
        let host = devices(&[
            (1, "lo", 65536, &["127.0.0.1/8"]),
            (2, "eth0", 1500, &["192.0.2.1/24", "192.0.2.7/24"]),
            (3, "eth1", 1500, &["198.51.100.1/24", "fd00::1/64"]),
        ]);
        let (none, one, two) = (vec![], vec!["192.0.2.7"], vec!["192.0.2.1", "192.0.2.7"]);
        let other = vec!["203.0.113.1"];
        let six = Some("fd00::1");
        for (name, before, ips, ways, v4, v6) in [
            ("own", None, &one, vec![way(3, 0)], "192.0.2.7", six),
            ("not held", None, &other, vec![way(3, 0)], "198.51.100.1", six),
            ("lower metric", None, &none, vec![way(3, 9), way(2, 1)], "192.0.2.1", six),
            ("any uplink", None, &none, vec![], "192.0.2.1", None),
            ("own, another before", Some("192.0.2.1"), &one, vec![], "192.0.2.7", None),
            ("own, both", Some("192.0.2.7"), &two, vec![], "192.0.2.7", None),
            ("kept", Some("192.0.2.7"), &none, vec![way(2, 0)], "192.0.2.7", None),
            (
                "kept beside a new route",
                Some("192.0.2.7"),
                &none,
                vec![way(3, 0)],
                "192.0.2.7",
                six,
            ),
            ("no uplink's", Some("198.51.100.1"), &none, vec![], "192.0.2.1", None),
            ("gone", Some("192.0.2.9"), &none, vec![], "192.0.2.1", None),
        ] {
            let own = node("a", ips, &[]);
            let before = Sources { v4: before.map(|ip| ip.parse().unwrap()), v6: None };
            let uplinks = host
                .links
                .iter()
                .filter(|link| link.index == 2)
                .map(|link| (link.index, link))
                .collect();
            let found = sources(Some(&own), &host, &ways, &uplinks, before);
            let expected =
                Sources { v4: Some(v4.parse().unwrap()), v6: v6.map(|ip| ip.parse().unwrap()) };
            assert_eq!(found, expected, "{name}");
        }
    }
}
