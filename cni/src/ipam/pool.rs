//! Which address comes next: round robin over the node's ranges, so that an address is used again
//! as late as possible, and never while it cools down unless nothing else is left.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::range::RangeSet;
use super::table::Table;

/// Milliseconds for which a released address rests: others may still have flows to it, or routes.
pub(crate) const COOL_DOWN: u64 = 60_000;

/// What addresses come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pool {
    sets: Vec<RangeSet>,
    excluded: BTreeSet<IpAddr>,
}

/// Why there is no address. The texts are host-local's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// A set has none left.
    #[error("no IP addresses available in range set: {0}")]
    Exhausted(String),
    /// The one that was asked for is somebody's.
    #[error("requested IP address {0} is not available in range set {1}")]
    Taken(IpAddr, String),
    /// What was asked for is in no set, or more than one for each set.
    #[error("failed to allocate all requested IPs: {}", shown(.0))]
    Outside(Vec<IpAddr>),
}

impl Pool {
    /// A pool over sets, without addresses that others have.
    #[must_use]
    pub(crate) fn new(sets: Vec<RangeSet>, excluded: BTreeSet<IpAddr>) -> Self {
        Self { sets, excluded }
    }

    /// Chooses one address of each set: the requested one, if there is one, else the next, which is
    /// noted as the last given.
    ///
    /// # Errors
    /// When a set has none left, or a requested address cannot be had; no address is given then.
    pub(crate) fn allocate(
        &self,
        table: &mut Table,
        requested: &[IpAddr],
        now: u64,
    ) -> Result<Vec<IpAddr>, Refusal> {
        table.cooling.retain(|_, since| now.saturating_sub(*since) < COOL_DOWN);
        let taken = self.taken(table);
        let mut wishes = requested.to_vec();
        let (mut chosen, mut turns) = (Vec::new(), Vec::new());
        for set in &self.sets {
            let wish = wishes.iter().position(|ip| set.contains(*ip)).map(|at| wishes.remove(at));
            match wish {
                Some(ip) if taken.contains(&ip) => return Err(Refusal::Taken(ip, set.to_string())),
                Some(ip) => chosen.push(ip),
                None => {
                    let ip = next(table, set, &taken);
                    turns.push((set, ip.ok_or_else(|| Refusal::Exhausted(set.to_string()))?));
                    chosen.extend(ip);
                }
            }
        }
        if !wishes.is_empty() {
            return Err(Refusal::Outside(wishes));
        }
        for (set, ip) in turns {
            table.last.retain(|last| !set.contains(*last));
            table.last.insert(ip);
        }
        table.cooling.retain(|ip, _| !chosen.contains(ip));
        Ok(chosen)
    }

    fn taken(&self, table: &Table) -> BTreeSet<IpAddr> {
        let leased = table.leases.values().flat_map(|lease| &lease.ips);
        leased.chain(&self.excluded).copied().collect()
    }
}

fn next(table: &Table, set: &RangeSet, taken: &BTreeSet<IpAddr>) -> Option<IpAddr> {
    let last = table.last.iter().find(|last| set.contains(**last)).copied();
    let is_free = |ip: &IpAddr| !taken.contains(ip) && !table.cooling.contains_key(ip);
    set.after(last).find(is_free).or_else(|| {
        let resting =
            table.cooling.iter().filter(|(ip, _)| set.contains(**ip) && !taken.contains(ip));
        resting.min_by_key(|(_, since)| **since).map(|(ip, _)| *ip)
    })
}

fn shown(ips: &[IpAddr]) -> String {
    ips.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
