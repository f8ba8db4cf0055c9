//! Between which addresses none but pods of this node are, each behind a link of ours: what tells the
//! programs that an address there which no pod has is nobody's.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use dataplane_common::abi::{Addr, Node, Pod};

use crate::devices::prefixes::masked;
use crate::model::NodeSpec;

/// Makes the content of the table `node`, which held `before`, say it: of each network of this node's
/// pods in which one of ours is, or was before. The first address is left out, as tunnels have it.
#[must_use]
pub fn told(node: Node, own: Option<&NodeSpec>, pods: &BTreeMap<Addr, Pod>, before: &Node) -> Node {
    let mut told = Node {
        first_pod4: Ipv4Addr::BROADCAST.octets(),
        last_pod4: Ipv4Addr::UNSPECIFIED.octets(),
        first_pod6: Ipv6Addr::from_bits(u128::MAX).octets(),
        last_pod6: Ipv6Addr::UNSPECIFIED.octets(),
        ..node
    };
    for network in own.iter().flat_map(|own| &own.pod_cidrs).copied().map(masked) {
        let is_ours = pods.keys().any(|addr| network.contains(addr.to_ip()));
        match (network.network(), network.broadcast()) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                let first = Ipv4Addr::from_bits(first.to_bits().saturating_add(1)).octets();
                let bounds = (first, last.octets());
                if is_ours || (before.first_pod4, before.last_pod4) == bounds {
                    (told.first_pod4, told.last_pod4) = bounds;
                }
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                let first = Ipv6Addr::from_bits(first.to_bits().saturating_add(1)).octets();
                let bounds = (first, last.octets());
                if is_ours || (before.first_pod6, before.last_pod6) == bounds {
                    (told.first_pod6, told.last_pod6) = bounds;
                }
            }
            _ => {}
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::tests::node;

    /// The bounds of both families, where there are any.
    fn bounds(node: &Node) -> [Option<(IpAddr, IpAddr)>; 2] {
        let v4 = (IpAddr::from(node.first_pod4), IpAddr::from(node.last_pod4));
        let v6 = (IpAddr::from(node.first_pod6), IpAddr::from(node.last_pod6));
        [v4, v6].map(|(first, last)| (first <= last).then_some((first, last)))
    }

    #[test]
    fn networks_are_ours_once_a_pod_of_ours_is_in_them() {
        let own = node("a", &[], &["10.1.1.0/24", "fd01:1::/64"]);
        let four = Some(("10.1.1.1".parse().unwrap(), "10.1.1.255".parse().unwrap()));
        let six =
            Some(("fd01:1::1".parse().unwrap(), "fd01:1::ffff:ffff:ffff:ffff".parse().unwrap()));
        let mut before = Node::default();
        for (name, pods, own, expected) in [
            ("no pod", vec![], Some(&own), [None, None]),
            ("a pod of another plugin's network", vec!["10.9.1.2"], Some(&own), [None, None]),
            ("a pod", vec!["10.1.1.2"], Some(&own), [four, None]),
            ("another", vec!["fd01:1::2"], Some(&own), [four, six]),
            ("they are gone", vec![], Some(&own), [four, six]),
            ("the Node is, too", vec!["10.1.1.2"], None, [None, None]),
        ] {
            let pod = |text: &str| (Addr::from(text.parse::<IpAddr>().unwrap()), Pod::default());
            let pods = pods.into_iter().map(pod).collect();
            before = told(Node::default(), own, &pods, &before);
            assert_eq!(bounds(&before), expected, "{name}");
        }
    }
}
