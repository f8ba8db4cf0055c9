//! The clients that load balancers' addresses let in.

use std::collections::BTreeSet;

use dataplane_common::abi::Family;
use ipnetwork::IpNetwork;

use super::frontends::family_of;
use crate::model::{NodeSpec, ServiceSpec};

/// The clients of a family that a Service lets in on this node; empty where it lets in all.
///
/// Who lets in the node lets in its own addresses too: what the node sends to one that a device of
/// its holds comes from that very address.
pub(super) fn sources(
    spec: &ServiceSpec,
    family: Family,
    own: Option<&NodeSpec>,
) -> BTreeSet<IpNetwork> {
    let ranges = spec.source_ranges.iter().copied();
    let mut ranges: BTreeSet<_> = ranges.filter(|range| family_of(range.ip()) == family).collect();
    if ranges.iter().any(|range| range.prefix() == 0) {
        return BTreeSet::new();
    }
    let node = own.and_then(|own| own.internal_ips.iter().find(|ip| family_of(**ip) == family));
    if node.is_some_and(|node| ranges.iter().any(|range| range.contains(*node))) {
        let own = spec.load_balancer_ips.iter().filter(|ip| family_of(**ip) == family);
        ranges.extend(own.map(|ip| IpNetwork::from(*ip)));
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::tests::node;
    use crate::model::{Name, ServiceKind};

    fn spec(ranges: &[&str]) -> ServiceSpec {
        ServiceSpec {
            name: Name::new("default", "web"),
            created: None,
            ports: Vec::new(),
            kind: ServiceKind::LoadBalancer,
            cluster_ips: Vec::new(),
            load_balancer_ips: ["1.2.3.4", "5.6.7.8", "2001:db8::4"]
                .map(|ip| ip.parse().unwrap())
                .into(),
            source_ranges: ranges.iter().map(|range| range.parse().unwrap()).collect(),
            external_ips: Vec::new(),
            internal_local: false,
            external_local: false,
            affinity_seconds: None,
            health_check_port: None,
        }
    }

    #[test]
    fn ranges_are_of_one_family_and_let_in_the_address_itself_with_the_node() {
        let own = node("a", &["192.168.0.2", "2001:db8::1"], &[]);
        for (name, ranges, expected) in [
            ("none", &[][..], &[][..]),
            ("without the node", &["203.0.113.0/25"], &["203.0.113.0/25"]),
            (
                "with the node",
                &["192.168.0.0/24", "203.0.113.0/25"],
                &["1.2.3.4/32", "5.6.7.8/32", "192.168.0.0/24", "203.0.113.0/25"],
            ),
            ("of another family", &["2001:db8::/64"], &[]),
            ("everybody", &["192.168.0.0/24", "0.0.0.0/0"], &[]),
        ] {
            let expected: BTreeSet<IpNetwork> =
                expected.iter().map(|range| range.parse().unwrap()).collect();
            assert_eq!(sources(&spec(ranges), Family::V4, Some(&own)), expected, "{name}");
        }
    }
}
