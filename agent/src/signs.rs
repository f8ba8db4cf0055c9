//! By what other programs of a node are known: tables and chains of netfilter. Each is asked for by
//! its name, so that the number of rules does not matter.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use hostnet::netfilter::{Family, Netfilter};
use hostnet::xtables;

/// How often the older iptables is looked at, which hands out all rules of a table or none.
pub(crate) const SELDOM: Duration = Duration::from_secs(10);

/// One thing by which another program is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sign {
    /// A table of nftables.
    Table(Family, &'static str),
    /// A chain of a table of an iptables that keeps its tables in nftables.
    Chain(Family, &'static str, &'static str),
    /// A chain of a table of the older iptables.
    LegacyChain(Family, &'static str, &'static str),
}

/// Looks for signs in the network namespace in which it was made.
#[derive(Debug)]
pub(crate) struct Lookout {
    signs: Vec<Sign>,
    netfilter: Option<Netfilter>,
    found: Found,
}

/// What looks have come to.
#[derive(Debug, Default)]
struct Found {
    looked_closely: Option<Instant>,
    signs: BTreeSet<Sign>,
    failures: BTreeSet<String>,
}

impl Lookout {
    /// For these signs.
    pub(crate) fn new(signs: impl IntoIterator<Item = Sign>) -> Self {
        let signs = signs.into_iter().collect();
        Self { signs, netfilter: None, found: Found::default() }
    }

    /// Looks; says whether anything else is there than at the last look.
    pub(crate) fn look(&mut self, now: Instant) -> bool {
        let (before, netfilter) = (self.found.signs.clone(), &mut self.netfilter);
        self.found.look(&self.signs, now, |sign| sign.is_there(netfilter));
        self.found.signs != before
    }

    /// What was there at the last look.
    pub(crate) fn found(&self) -> &BTreeSet<Sign> {
        &self.found.signs
    }

    /// Why some of it could not be seen then.
    pub(crate) fn failures(&self) -> &BTreeSet<String> {
        &self.found.failures
    }
}

impl Found {
    /// Takes in what there is. What cannot be seen is as it was.
    fn look(
        &mut self,
        signs: &[Sign],
        now: Instant,
        mut is_there: impl FnMut(Sign) -> hostnet::Result<bool>,
    ) {
        let is_close = self.looked_closely.is_none_or(|at| now.duration_since(at) >= SELDOM);
        if is_close {
            self.looked_closely = Some(now);
        }
        self.failures.clear();
        for sign in signs.iter().copied().filter(|sign| is_close || !sign.is_costly()) {
            match is_there(sign) {
                Ok(true) => drop(self.signs.insert(sign)),
                Ok(false) => drop(self.signs.remove(&sign)),
                Err(failure) => drop(self.failures.insert(failure.to_string())),
            }
        }
    }
}

impl Sign {
    fn is_costly(self) -> bool {
        matches!(self, Self::LegacyChain(..))
    }

    /// Whether it is there; `netfilter` is opened where that is asked and was not before.
    fn is_there(self, netfilter: &mut Option<Netfilter>) -> hostnet::Result<bool> {
        if let Self::LegacyChain(family, table, chain) = self {
            return xtables::has_chain(family, table, chain);
        }
        let opened = match netfilter.take() {
            Some(netfilter) => netfilter,
            None => Netfilter::here()?,
        };
        let netfilter = netfilter.insert(opened);
        match self {
            Self::Table(family, table) => netfilter.has_table(family, table),
            Self::Chain(family, table, chain) | Self::LegacyChain(family, table, chain) => {
                netfilter.has_chain(family, table, chain)
            }
        }
    }
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(family, table) => write!(f, "nft table {family} {table}"),
            Self::Chain(family, table, chain) => {
                write!(f, "chain {chain} of nft table {family} {table}")
            }
            Self::LegacyChain(family, table, chain) => {
                write!(f, "chain {chain} of iptables-legacy, {family} {table}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_costs_much_is_looked_for_seldom_and_what_cannot_be_seen_is_as_it_was() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let (nft, legacy) =
            (Sign::Table(Family::Ip, "one"), Sign::LegacyChain(Family::Ip, "nat", "TWO"));
        let mut found = Found::default();
        let both: &[Sign] = &[nft, legacy];
        for (second, there, expected) in [
            (0, Some(both), 2),
            (1, Some(&[][..]), 1),
            (2, None, 1),
            (10, None, 1),
            (20, Some(&[]), 0),
            (21, Some(&both[1..]), 0),
            (30, Some(&both[1..]), 1),
        ] {
            found.look(both, at(second), |sign| match there {
                Some(there) => Ok(there.contains(&sign)),
                None => Err(hostnet::Error::new("look for", "it", "who knows")),
            });
            assert_eq!(found.signs.len(), expected, "after {second} s: {found:?}");
            assert_eq!(found.failures.is_empty(), there.is_some(), "after {second} s: {found:?}");
        }
    }
}
