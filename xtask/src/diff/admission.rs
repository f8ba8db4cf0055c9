//! Whom a load balancer's source ranges let in.

use std::net::IpAddr;

use ipnetwork::IpNetwork;

use super::{origins::places, probe::Sender};

/// How many of a sender's addresses a Service lets in at its load balancer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    All,
    Some,
    None,
}

impl Admission {
    /// By a Service's ranges, for an address of the load balancer: those of the other family do not
    /// count, and without any everybody is let in.
    pub(super) fn of(ranges: &[String], sender: Sender, to: IpAddr) -> Self {
        let ranges: Vec<IpNetwork> = ranges
            .iter()
            .filter_map(|range| range.parse().ok())
            .filter(|range: &IpNetwork| range.is_ipv4() == to.is_ipv4())
            .collect();
        let places = places(sender);
        let is_in = |address| ranges.iter().any(|range| range.contains(address));
        let let_in = places.iter().filter(|place| is_in(place.like(to))).count();
        match let_in {
            _ if ranges.is_empty() || let_in == places.len() => Self::All,
            0 => Self::None,
            _ => Self::Some,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Admission, Sender};

    #[test]
    fn ranges_of_the_address_and_its_family_count() {
        for (ranges, sender, to, expected) in [
            (&[][..], Sender::Outside, "198.51.100.1", Admission::All),
            (&["fdcb::10/125"], Sender::Outside, "198.51.100.1", Admission::All),
            (&["203.0.113.16/29"], Sender::Outside, "198.51.100.1", Admission::Some),
            (&["203.0.113.0/24"], Sender::Outside, "198.51.100.1", Admission::All),
            (&["203.0.113.0/24"], Sender::LocalPod, "198.51.100.1", Admission::None),
            (&["203.0.113.0/24", "fdcb::10/125"], Sender::OwnNode, "fdc6::1", Admission::None),
            (&["203.0.113.0/24", "fdcb::10/125"], Sender::Outside, "fdc6::1", Admission::Some),
        ] {
            let ranges: Vec<String> = ranges.iter().map(|range| (*range).to_owned()).collect();
            let found = Admission::of(&ranges, sender, to.parse().unwrap());
            assert_eq!(found, expected, "{ranges:?} for {} to {to}", sender.name());
        }
    }
}
