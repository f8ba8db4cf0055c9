//! At which addresses of a node its NodePorts are served, of those that it has at the moment.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::NodePortAddress;
use crate::devices::Devices;
use crate::model::NodeSpec;

/// Those of `uplinks` take the place of the Node's where no device holds any of these. A list that
/// has networks and none of a family means all of that family, as it does for kube-proxy.
#[must_use]
pub fn served(
    wanted: &[NodePortAddress],
    own: Option<&NodeSpec>,
    devices: &Devices,
    uplinks: &BTreeSet<IpAddr>,
) -> BTreeSet<IpAddr> {
    let all: BTreeSet<_> = devices.addresses.iter().map(|address| address.network.ip()).collect();
    let of_others = |ip: &&IpAddr| !ip.is_loopback();
    let mut served = BTreeSet::new();
    for entry in wanted.iter().chain(&missing_families(wanted)) {
        match entry {
            NodePortAddress::Primary => served.extend(primary(own, devices, uplinks)),
            NodePortAddress::All => served.extend(all.iter().filter(of_others)),
            NodePortAddress::Localhost => {
                served.extend([IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()]);
            }
            NodePortAddress::Within(network) => {
                let within = all.iter().filter(of_others).filter(|ip| network.contains(**ip));
                served.extend(within);
            }
        }
    }
    served
}

/// Of each family the first address of the Node that a device holds.
fn primary(
    own: Option<&NodeSpec>,
    devices: &Devices,
    uplinks: &BTreeSet<IpAddr>,
) -> BTreeSet<IpAddr> {
    let held = own.map(|own| devices.held(own)).unwrap_or_default();
    if held.is_empty() {
        return uplinks.clone();
    }
    let first = |v4: bool| held.iter().find(|ip| ip.is_ipv4() == v4).copied();
    [true, false].into_iter().filter_map(first).collect()
}

/// Networks of all addresses, of families of which a list of networks has none.
fn missing_families(wanted: &[NodePortAddress]) -> Vec<NodePortAddress> {
    let is_of_both =
        |entry: &NodePortAddress| matches!(entry, NodePortAddress::Primary | NodePortAddress::All);
    let networks = wanted.iter().filter_map(|entry| match entry {
        NodePortAddress::Within(network) => Some(*network),
        NodePortAddress::Primary | NodePortAddress::All | NodePortAddress::Localhost => None,
    });
    let networks: Vec<_> = networks.collect();
    if networks.is_empty() || wanted.iter().any(is_of_both) {
        return Vec::new();
    }
    let families = [IpAddr::from(Ipv4Addr::UNSPECIFIED), Ipv6Addr::UNSPECIFIED.into()];
    let missing = families
        .into_iter()
        .filter(|any| !networks.iter().any(|network| network.is_ipv4() == any.is_ipv4()));
    let all = missing.filter_map(|any| ipnetwork::IpNetwork::new(any, 0).ok());
    all.map(NodePortAddress::Within).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::tests::{devices, node};

    #[test]
    fn node_ports_are_served_where_the_list_says() {
        let host = devices(&[
            (1, "lo", 65536, &["127.0.0.1/8", "::1/128"]),
            (2, "eth0", 1500, &["192.0.2.1/24", "192.0.2.7/24", "fd00::1/64", "fe80::1/64"]),
            (3, "docker0", 1500, &["172.17.0.1/16"]),
        ]);
        let own = node("a", &["192.0.2.7", "192.0.2.1", "fd00::1"], &[]);
        let elsewhere = node("a", &["203.0.113.1"], &[]);
        let everything = ["192.0.2.1", "192.0.2.7", "172.17.0.1", "fd00::1", "fe80::1"];
        for (own, list, expected) in [
            (&own, &["primary"][..], &["192.0.2.7", "fd00::1"][..]),
            (&elsewhere, &["primary"], &["192.0.2.9"]),
            (&own, &["all"], &everything),
            (&own, &["0.0.0.0/0", "::/0"], &everything),
            (&own, &["localhost"], &["127.0.0.1", "::1"]),
            (&own, &["primary", "localhost"], &["192.0.2.7", "fd00::1", "127.0.0.1", "::1"]),
            (&own, &["172.16.0.0/12", "fd00::/8"], &["172.17.0.1", "fd00::1"]),
            (&own, &["172.16.0.0/12"], &["172.17.0.1", "fd00::1", "fe80::1"]),
            (
                &own,
                &["172.16.0.0/12", "localhost"],
                &["172.17.0.1", "fd00::1", "fe80::1", "127.0.0.1", "::1"],
            ),
            (&own, &["172.16.0.0/12", "primary"], &["172.17.0.1", "192.0.2.7", "fd00::1"]),
            (&own, &["127.0.0.0/8", "localhost"], &["fd00::1", "fe80::1", "127.0.0.1", "::1"]),
            (&own, &["127.0.0.0/8", "fd01::/64"], &[]),
        ] {
            let wanted: Vec<NodePortAddress> =
                list.iter().map(|entry| entry.parse().unwrap()).collect();
            let expected: BTreeSet<IpAddr> =
                expected.iter().map(|ip| ip.parse().unwrap()).collect();
            let uplinks = ["192.0.2.9".parse().unwrap()].into();
            assert_eq!(served(&wanted, Some(own), &host, &uplinks), expected, "{list:?}");
        }
    }
}
