//! The host's devices: which hold addresses of the node, which are served, and what is behind them.

mod class;
mod pattern;
pub mod prefixes;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use hostnet::addr::Address;
use hostnet::link::Link;

use crate::model::NodeSpec;
use crate::problem::Problem;

pub use class::{Class, ports, served, uplinks};
pub use pattern::{PatternError, Selection};

/// The devices of a host and their addresses, as the kernel lists them.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Devices {
    /// Links.
    pub links: Vec<Link>,
    /// Addresses of links.
    pub addresses: Vec<Address>,
}

impl Devices {
    /// The device of an index, unless it is the loopback, which leads nowhere.
    pub(crate) fn device(&self, index: u32) -> Option<&Link> {
        self.links.iter().find(|link| link.index == index && !link.is_loopback)
    }

    /// The device that holds an address.
    #[must_use]
    pub fn holding(&self, ip: IpAddr) -> Option<&Link> {
        let mut held = self.addresses.iter().filter(|address| address.network.ip() == ip);
        held.find_map(|address| self.device(address.link))
    }

    /// The device whose network an address of another host is in: of several, the one with the
    /// longest prefix.
    #[must_use]
    pub fn towards(&self, ip: IpAddr) -> Option<&Link> {
        let best = self.around(ip).filter(|(_, link)| link.is_up).max_by_key(|(address, link)| {
            (address.network.prefix(), std::cmp::Reverse(link.index))
        });
        best.map(|(_, link)| link)
    }

    /// Whether an address of another host is in the network of a device, up or not.
    #[must_use]
    pub fn is_near(&self, ip: IpAddr) -> bool {
        self.around(ip).next().is_some()
    }

    /// The addresses of devices in whose networks another host's is.
    fn around(&self, ip: IpAddr) -> impl Iterator<Item = (&Address, &Link)> {
        let around = self.addresses.iter().filter(move |address| {
            let network = address.network;
            let max = if network.is_ipv4() { 32 } else { 128 };
            network.prefix() < max && network.contains(ip)
        });
        around.filter_map(|address| Some((address, self.device(address.link)?)))
    }

    /// The addresses of a node that devices hold: the kernel takes no others as a source.
    #[must_use]
    pub fn held(&self, node: &NodeSpec) -> Vec<IpAddr> {
        let ips = node.internal_ips.iter().copied();
        ips.filter(|ip| self.holding(*ip).is_some()).collect()
    }

    /// All addresses that devices hold but for one of this name.
    #[must_use]
    pub fn addresses_apart(&self, name: &str) -> BTreeSet<IpAddr> {
        let apart = self.links.iter().find(|link| link.name == name).map(|link| link.index);
        let others = self.addresses.iter().filter(|address| Some(address.link) != apart);
        others.map(|address| address.network.ip()).collect()
    }

    /// The uplinks of a node by their indexes, and what is wrong with the addresses it names.
    #[must_use]
    pub fn uplinks(&self, node: &NodeSpec) -> (BTreeMap<u32, &Link>, BTreeSet<Problem>) {
        let (mut uplinks, mut problems) = (BTreeMap::new(), BTreeSet::new());
        for ip in &node.internal_ips {
            match self.holding(*ip) {
                Some(link) => {
                    uplinks.insert(link.index, link);
                }
                None => {
                    problems.insert(not_held(node, *ip));
                }
            }
        }
        if node.internal_ips.is_empty() {
            problems.insert(unaddressed(node));
        }
        if node.pod_cidrs.is_empty() {
            problems.insert(without_networks(node));
        }
        (uplinks, problems)
    }
}

/// MTU for links of pods: the smallest of the uplinks', because pods may use any of them.
#[must_use]
pub fn pod_mtu(uplinks: &BTreeMap<u32, &Link>) -> Option<u32> {
    uplinks.values().map(|link| link.mtu).min()
}

fn not_held(node: &NodeSpec, ip: IpAddr) -> Problem {
    let message = format!(
        "has the InternalIP {ip}, which no device of this host holds: packets from other nodes \
         to it are not handled; mend the Node or the host's addresses"
    );
    Problem::error(format!("Node {}", node.name), message)
}

fn unaddressed(node: &NodeSpec) -> Problem {
    let message = "has no InternalIP: packets from other nodes are not handled and pods cannot be \
                   added; name one in the Node's status.addresses";
    Problem::error(format!("Node {}", node.name), message)
}

fn without_networks(node: &NodeSpec) -> Problem {
    let message = "has no podCIDR: pods cannot be added; name one in the Node's spec.podCIDRs";
    Problem::error(format!("Node {}", node.name), message)
}

#[cfg(test)]
pub(crate) mod tests {
    use hostnet::addr::Scope;
    use hostnet::link::Layer;

    use super::*;

    pub(crate) fn devices(rows: &[(u32, &str, u32, &[&str])]) -> Devices {
        let mut devices = Devices::default();
        for (index, name, mtu, networks) in rows {
            devices.links.push(Link {
                index: *index,
                name: (*name).to_owned(),
                kind: None,
                layer: Layer::Ethernet,
                mac: None,
                mtu: *mtu,
                is_up: true,
                is_loopback: *name == "lo",
                alias: None,
                controller: None,
                peer: None,
                lower: None,
                netns: None,
                vxlan: None,
            });
            let address = |text: &&str| Address {
                link: *index,
                network: text.parse().unwrap(),
                scope: Scope::Global,
            };
            devices.addresses.extend(networks.iter().map(address));
        }
        devices
    }

    pub(crate) fn node(name: &str, ips: &[&str], pod_cidrs: &[&str]) -> NodeSpec {
        NodeSpec {
            name: name.to_owned(),
            pod_cidrs: pod_cidrs.iter().map(|text| text.parse().unwrap()).collect(),
            internal_ips: ips.iter().map(|text| text.parse().unwrap()).collect(),
            zone: None,
            is_leaving: false,
            is_network_unavailable: false,
        }
    }

    fn host() -> Devices {
        devices(&[
            (1, "lo", 65536, &["127.0.0.1/8", "192.0.2.9/32"]),
            (2, "eth0", 1500, &["192.0.2.1/24", "fd00::1/64"]),
            (3, "eth1", 9000, &["198.51.100.1/24", "192.0.2.129/25"]),
        ])
    }

    #[test]
    fn uplinks_are_the_devices_that_hold_the_nodes_addresses() {
        const CIDRS: &[&str] = &["10.1.1.0/24"];
        const UNHELD: &str = "Node a has the InternalIP 203.0.113.1, which no device of this host \
                              holds: packets from other nodes to it are not handled; mend the Node \
                              or the host's addresses";
        const UNROUTED: &str = "Node a has no podCIDR: pods cannot be added; name one in the \
                                Node's spec.podCIDRs";
        const UNADDRESSED: &str = "Node a has no InternalIP: packets from other nodes are not \
                                   handled and pods cannot be added; name one in the Node's \
                                   status.addresses";
        for (ips, cidrs, names, mtu, wrong) in [
            (vec!["192.0.2.1", "fd00::1"], CIDRS, vec!["eth0"], Some(1500), ""),
            (vec!["192.0.2.1", "198.51.100.1"], CIDRS, vec!["eth0", "eth1"], Some(1500), ""),
            (vec!["198.51.100.1", "203.0.113.1"], CIDRS, vec!["eth1"], Some(9000), UNHELD),
            (vec!["192.0.2.1"], &[], vec!["eth0"], Some(1500), UNROUTED),
            (vec![], CIDRS, vec![], None, UNADDRESSED),
        ] {
            let host = host();
            let (uplinks, problems) = host.uplinks(&node("a", &ips, cidrs));
            let found: Vec<_> = uplinks.values().map(|link| link.name.as_str()).collect();
            let problems: String = problems.iter().map(ToString::to_string).collect();
            assert_eq!((found, pod_mtu(&uplinks), &*problems), (names, mtu, wrong), "{ips:?}");
        }
    }

    #[test]
    fn an_address_of_the_loopback_makes_no_uplink() {
        let host = host();
        let (uplinks, problems) = host.uplinks(&node("a", &["192.0.2.9"], &["10.1.1.0/24"]));
        assert_eq!((uplinks.len(), problems.len()), (0, 1));
    }

    #[test]
    fn only_addresses_that_a_device_holds_are_the_nodes_own() {
        let node = node("a", &["203.0.113.1", "192.0.2.1", "fd00::1"], &[]);
        let held: [IpAddr; 2] = ["192.0.2.1", "fd00::1"].map(|ip| ip.parse().unwrap());
        assert_eq!(host().held(&node), held);
    }

    #[test]
    fn the_device_towards_a_host_has_the_longest_prefix_around_it() {
        for (ip, device) in [
            ("192.0.2.2", Some("eth0")),
            ("192.0.2.200", Some("eth1")),
            ("fd00::2", Some("eth0")),
            ("203.0.113.1", None),
            ("127.0.0.2", None),
        ] {
            let found = host().towards(ip.parse().unwrap()).map(|link| link.name.clone());
            assert_eq!(found.as_deref(), device, "{ip}");
        }
    }
}
