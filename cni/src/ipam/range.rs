//! Ranges that addresses come from, and sets of them: a pod gets one address of each set. The texts
//! of refusals are host-local's, which people know and search for.

use std::fmt;
use std::net::IpAddr;

use ipnetwork::IpNetwork;

use crate::protocol::IpRange;

/// Addresses that can be given, from the first to the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    subnet: IpNetwork,
    start: u128,
    end: u128,
    gateway: Option<IpAddr>,
}

/// Ranges of one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RangeSet(Vec<Range>);

/// Ranges that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RangeError {
    /// All its addresses are taken by the network itself.
    #[error("Network {0} too small to allocate from")]
    TooSmall(IpNetwork),
    /// The subnet is an address rather than a network.
    #[error(
        "Network has host bits set. For a subnet mask of length {length} the network address is {network}"
    )]
    HostBits {
        /// Bits of the prefix.
        length: u8,
        /// What the subnet should be.
        network: IpAddr,
    },
    /// The first address is elsewhere.
    #[error("RangeStart {0} not in network {1}")]
    Start(IpAddr, IpNetwork),
    /// The last address is elsewhere, or before the first.
    #[error("RangeEnd {0} not in network {1}")]
    End(IpAddr, IpNetwork),
    /// A set without ranges.
    #[error("empty range set")]
    Empty,
    /// A set with ranges of both families.
    #[error("mixed address families")]
    Mixed,
    /// Two ranges of one set share addresses.
    #[error("subnets {0} and {1} overlap")]
    Overlap(IpNetwork, IpNetwork),
    /// Two sets share addresses.
    #[error("range set {0} overlaps with {1}")]
    SetsOverlap(usize, usize),
}

impl Range {
    /// What of a podCIDR can be given: neither the network's own address nor the one after it,
    /// which others take for a gateway's, nor IPv4's broadcast address.
    fn of_pod_cidr(subnet: IpNetwork) -> Option<Self> {
        let start = number(subnet.network()).saturating_add(2);
        let range = Self { subnet, start, end: last(subnet), gateway: None };
        (range.start <= range.end).then_some(range)
    }

    fn parse(range: &IpRange) -> Result<Self, RangeError> {
        let IpRange { subnet, start, end, gateway } = *range;
        let (length, bits) = (subnet.prefix(), if subnet.is_ipv4() { 32 } else { 128 });
        if length > bits - 2 {
            return Err(RangeError::TooSmall(subnet));
        }
        let network = subnet.network();
        if subnet.ip() != network {
            return Err(RangeError::HostBits { length, network });
        }
        let first = number(network).saturating_add(1);
        let mut parsed = Self { subnet, start: first, end: last(subnet), gateway };
        parsed.gateway = gateway.or(Some(address(subnet.is_ipv6(), first)));
        if let Some(start) = start {
            parsed.start = within(subnet, start).ok_or(RangeError::Start(start, subnet))?;
        }
        if let Some(end) = end {
            let number = within(subnet, end).filter(|end| *end >= parsed.start);
            parsed.end = number.ok_or(RangeError::End(end, subnet))?;
        }
        Ok(parsed)
    }

    /// Whether an address is one that can be given.
    fn contains(&self, ip: IpAddr) -> bool {
        let is_inside = (self.start..=self.end).contains(&number(ip));
        is_inside && ip.is_ipv6() == self.subnet.is_ipv6() && Some(ip) != self.gateway
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.subnet.is_ipv6() == other.subnet.is_ipv6()
            && self.start <= other.end
            && other.start <= self.end
    }

    /// The addresses that can be given, between two of them.
    fn between(&self, first: u128, last: u128) -> impl Iterator<Item = IpAddr> {
        let is_ipv6 = self.subnet.is_ipv6();
        let all = (first..=last).map(move |number| address(is_ipv6, number));
        all.filter(|ip| Some(*ip) != self.gateway)
    }
}

impl RangeSet {
    /// The sets of a node's podCIDRs: one for each family that it has.
    #[must_use]
    pub(crate) fn of_pod_cidrs(cidrs: &[IpNetwork]) -> Vec<Self> {
        let family = |is_ipv6| cidrs.iter().filter(move |cidr| cidr.is_ipv6() == is_ipv6).copied();
        let families = [false, true].into_iter().filter(|is_ipv6| family(*is_ipv6).count() > 0);
        families
            .map(|is_ipv6| Self(family(is_ipv6).filter_map(Range::of_pod_cidr).collect()))
            .collect()
    }

    /// The sets that a request names.
    ///
    /// # Errors
    /// When one cannot be meant.
    pub(crate) fn parse(sets: &[Vec<IpRange>]) -> Result<Vec<Self>, RangeError> {
        let sets: Vec<_> = sets.iter().map(|set| Self::parse_one(set)).collect::<Result<_, _>>()?;
        for (index, set) in sets.iter().enumerate() {
            let others = sets.iter().enumerate().skip(index + 1);
            if let Some((other, _)) = others.into_iter().find(|(_, other)| set.overlaps(other)) {
                return Err(RangeError::SetsOverlap(index, other));
            }
        }
        Ok(sets)
    }

    fn parse_one(set: &[IpRange]) -> Result<Self, RangeError> {
        let first = set.first().ok_or(RangeError::Empty)?;
        if set.iter().any(|range| range.subnet.is_ipv6() != first.subnet.is_ipv6()) {
            return Err(RangeError::Mixed);
        }
        let ranges: Vec<_> = set.iter().map(Range::parse).collect::<Result<_, _>>()?;
        for (index, range) in ranges.iter().enumerate() {
            if let Some(other) = ranges.iter().skip(index + 1).find(|other| range.overlaps(other)) {
                return Err(RangeError::Overlap(range.subnet, other.subnet));
            }
        }
        Ok(Self(ranges))
    }

    /// Whether an address is one that can be given.
    #[must_use]
    pub(crate) fn contains(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|range| range.contains(ip))
    }

    /// Whether it is of IPv6; one without ranges is of neither.
    #[must_use]
    pub(crate) fn is_ipv6(&self) -> bool {
        self.0.iter().any(|range| range.subnet.is_ipv6())
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.0.iter().any(|range| other.0.iter().any(|other| range.overlaps(other)))
    }

    /// Every address that can be given, in the order of a round robin that stands at `last`.
    pub(crate) fn after(&self, last: Option<IpAddr>) -> impl Iterator<Item = IpAddr> {
        let place = last.and_then(|last| self.0.iter().position(|range| range.contains(last)));
        let (before, from) = self.0.split_at(place.unwrap_or_default());
        let last = last.filter(|_| place.is_some()).map(number);
        let current = from.first();
        let rest = current.into_iter().flat_map(move |range| {
            range.between(last.map_or(range.start, |last| last.saturating_add(1)), range.end)
        });
        let others = from.iter().skip(1).chain(before);
        let others = others.flat_map(|range| range.between(range.start, range.end));
        let again = current.zip(last).into_iter();
        rest.chain(others).chain(again.flat_map(|(range, last)| range.between(range.start, last)))
    }
}

impl fmt::Display for RangeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none, the podCIDR is too small");
        }
        for (index, Range { subnet, start, end, .. }) in self.0.iter().enumerate() {
            let is_ipv6 = subnet.is_ipv6();
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{}-{}", address(is_ipv6, *start), address(is_ipv6, *end))?;
        }
        Ok(())
    }
}

/// The last address that can be given: of IPv4, the one before broadcast.
fn last(subnet: IpNetwork) -> u128 {
    number(subnet.broadcast()).saturating_sub(u128::from(subnet.is_ipv4()))
}

fn within(subnet: IpNetwork, ip: IpAddr) -> Option<u128> {
    subnet.contains(ip).then(|| number(ip))
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_bits().into(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

fn address(is_ipv6: bool, number: u128) -> IpAddr {
    match u32::try_from(number) {
        Ok(number) if !is_ipv6 => IpAddr::V4(number.into()),
        _ => IpAddr::V6(number.into()),
    }
}

#[cfg(test)]
#[path = "range_tests.rs"]
mod tests;
