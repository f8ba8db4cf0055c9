//! Which address comes next: round robin over the node's ranges, so that an address is used again
//! as late as possible, and never while it cools down unless nothing else is left.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use ipnetwork::IpNetwork;

use super::table::Table;

/// Seconds for which a released address rests: others may still have flows to it, or routes.
pub(crate) const COOL_DOWN: u64 = 60;

/// The node's ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pool {
    ranges: Vec<IpNetwork>,
    excluded: Vec<IpAddr>,
}

/// No address is left.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no IP addresses available in range set: {range}")]
pub(crate) struct Exhausted {
    /// The ranges of the family that has none.
    pub(crate) range: String,
}

impl Pool {
    /// A pool over ranges, without addresses that others have.
    #[must_use]
    pub(crate) fn new(ranges: Vec<IpNetwork>, excluded: Vec<IpAddr>) -> Self {
        Self { ranges, excluded }
    }

    /// Chooses one address of each family that has ranges, and notes them as the last given ones.
    ///
    /// # Errors
    /// When a family has none left; nothing is changed then.
    pub(crate) fn allocate(&self, table: &mut Table, now: u64) -> Result<Vec<IpAddr>, Exhausted> {
        table.cooling.retain(|_, since| now.saturating_sub(*since) < COOL_DOWN);
        let mut chosen = Vec::new();
        for is_ipv6 in [false, true] {
            let usable = self.usable(is_ipv6);
            if self.ranges.iter().any(|range| range.is_ipv6() == is_ipv6) {
                let next = self.next(table, is_ipv6, &usable);
                chosen.push(next.ok_or_else(|| Exhausted { range: describe(is_ipv6, &usable) })?);
            }
        }
        for ip in &chosen {
            table.last.insert(ip.is_ipv6(), *ip);
            table.cooling.remove(ip);
        }
        Ok(chosen)
    }

    fn next(
        &self,
        table: &Table,
        is_ipv6: bool,
        usable: &[RangeInclusive<u128>],
    ) -> Option<IpAddr> {
        let leased = table.leases.values().flat_map(|lease| &lease.ips);
        let taken: BTreeSet<_> = leased.chain(&self.excluded).copied().collect();
        let last = table.last.get(&is_ipv6).map(|ip| number(*ip));
        let is_free = |ip: &IpAddr| !taken.contains(ip) && !table.cooling.contains_key(ip);
        let mut candidates = after(usable, last).into_iter().flatten().map(|n| address(is_ipv6, n));
        candidates.find(is_free).or_else(|| {
            let resting = table.cooling.iter().filter(|(ip, _)| {
                ip.is_ipv6() == is_ipv6
                    && !taken.contains(ip)
                    && usable.iter().any(|range| range.contains(&number(**ip)))
            });
            resting.min_by_key(|(_, since)| **since).map(|(ip, _)| *ip)
        })
    }

    /// What of the ranges of a family can be given: neither the network's own address nor the one
    /// after it, which others take for a gateway's, nor IPv4's broadcast address.
    fn usable(&self, is_ipv6: bool) -> Vec<RangeInclusive<u128>> {
        let of_family = self.ranges.iter().filter(|range| range.is_ipv6() == is_ipv6);
        let usable = of_family.map(|range| {
            let end = number(range.broadcast());
            number(range.network()).saturating_add(2)..=end.saturating_sub(u128::from(!is_ipv6))
        });
        usable.filter(|range| !range.is_empty()).collect()
    }
}

/// The ranges in the order of a round robin that stands at `last`.
fn after(ranges: &[RangeInclusive<u128>], last: Option<u128>) -> Vec<RangeInclusive<u128>> {
    let place =
        last.and_then(|last| Some((last, ranges.iter().position(|range| range.contains(&last))?)));
    let Some((last, place)) = place else { return ranges.to_vec() };
    let (before, from) = ranges.split_at(place);
    let Some((current, behind)) = from.split_first() else { return ranges.to_vec() };
    let rest = last.saturating_add(1)..=*current.end();
    let start = *current.start()..=last;
    std::iter::once(&rest).chain(behind).chain(before).chain([&start]).cloned().collect()
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

fn describe(is_ipv6: bool, usable: &[RangeInclusive<u128>]) -> String {
    let ranges = usable.iter().map(|range| {
        format!("{}-{}", address(is_ipv6, *range.start()), address(is_ipv6, *range.end()))
    });
    match ranges.collect::<Vec<_>>().join(", ") {
        empty if empty.is_empty() => "none, the podCIDR is too small".into(),
        ranges => ranges,
    }
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
