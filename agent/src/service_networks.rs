//! Where cluster IPs are: what the tables `node` and `networks` say of them.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

use dataplane_common::abi::{Addr, Family};
use ipnetwork::IpNetwork;

use crate::maps::Bounds;

/// The cluster IPs that there are, and where others are taken from.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ServiceNetworks {
    /// The lowest and the highest cluster IP of each family that has any.
    pub taken: Vec<(Addr, Addr)>,
    /// The networks that they are taken from, as far as those are known.
    pub cidrs: BTreeSet<IpNetwork>,
}

/// The first address above those that stand for IPv4; below those are no cluster IPs (RFC 4291, 2.5).
const FIRST_V6: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];

/// All addresses of a family that can be cluster IPs, as tables have them.
#[must_use]
pub fn addresses_of(family: Family) -> RangeInclusive<Addr> {
    match family {
        Family::V4 => Ipv4Addr::UNSPECIFIED.into()..=Ipv4Addr::BROADCAST.into(),
        Family::V6 => Addr(FIRST_V6)..=Addr([u8::MAX; 16]),
    }
}

impl ServiceNetworks {
    /// The lowest and the highest address of each family that is or can be a cluster IP, beside the
    /// lowest and the highest NodePort.
    #[must_use]
    pub fn bounds(&self, node_ports: Option<(u16, u16)>) -> Bounds {
        let services4 = self.span(|ip| match ip {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        });
        let services6 = self.span(|ip| match ip {
            IpAddr::V4(_) => None,
            IpAddr::V6(ip) => Some(ip),
        });
        Bounds { node_ports, services4, services6 }
    }

    fn span<T: Ord + Copy>(&self, family: fn(IpAddr) -> Option<T>) -> Option<(T, T)> {
        let taken = self.taken.iter().map(|(first, last)| (first.to_ip(), last.to_ip()));
        let cidrs = self.cidrs.iter().map(|cidr| (cidr.network(), cidr.broadcast()));
        let bounds = taken.chain(cidrs);
        let bounds = bounds.filter_map(|(first, last)| Some((family(first)?, family(last)?)));
        bounds.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(taken: &[(&str, &str)], cidrs: &[&str]) -> ServiceNetworks {
        let addr = |text: &str| Addr::from(text.parse::<IpAddr>().unwrap());
        ServiceNetworks {
            taken: taken.iter().map(|(first, last)| (addr(first), addr(last))).collect(),
            cidrs: cidrs.iter().map(|cidr| cidr.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn every_address_is_of_one_family() {
        for (text, of_v4, of_v6) in [
            ("0.0.0.1", true, false),
            ("255.255.255.255", true, false),
            ("64:ff9b::1", false, true),
            ("fd00::1", false, true),
        ] {
            let addr = Addr::from(text.parse::<IpAddr>().unwrap());
            let found = [Family::V4, Family::V6].map(|family| addresses_of(family).contains(&addr));
            assert_eq!(found, [of_v4, of_v6], "{text}");
        }
    }

    #[test]
    fn bounds_span_what_is_taken_and_what_can_be() {
        let v4 = ("10.96.0.1", "10.96.3.7");
        let v6 = ("fd00:96::1", "fd00:96::9");
        for (networks, expected) in [
            (networks(&[], &[]), (None, None)),
            (networks(&[v4], &[]), (Some(v4), None)),
            (
                networks(&[v4, v6], &["10.96.0.0/16"]),
                (Some(("10.96.0.0", "10.96.255.255")), Some(v6)),
            ),
            (
                networks(&[v4], &["10.100.0.0/24", "fd00:96::/112"]),
                (Some(("10.96.0.1", "10.100.0.255")), Some(("fd00:96::", "fd00:96::ffff"))),
            ),
        ] {
            let v4 =
                expected.0.map(|(first, last)| (first.parse().unwrap(), last.parse().unwrap()));
            let v6 =
                expected.1.map(|(first, last)| (first.parse().unwrap(), last.parse().unwrap()));
            let expected = Bounds { node_ports: None, services4: v4, services6: v6 };
            assert_eq!(networks.bounds(None), expected, "{networks:?}");
        }
    }
}
