//! Whether another proxy's rules are on this node, or what was left of them for its flows. While they
//! are, flows that we know nothing of may be theirs, and the kernel programs leave them alone.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use hostnet::netfilter::{Family, Netfilter};
use hostnet::xtables;
use serde::{Deserialize, Serialize};
use tracing::info;

use crate::problem::Problem;

/// How often the older iptables is looked at, which hands out all rules of a table or none.
const SELDOM: Duration = Duration::from_secs(10);

/// The table of a kube-proxy in nftables mode.
const TABLE: &str = "kube-proxy";
/// The chain of a kube-proxy in iptables mode, and its table.
const CHAIN: (&str, &str) = ("nat", "KUBE-SERVICES");
/// The table in which flows of a kube-proxy that has gone come to their end.
const DRAIN: &str = "waggle-drain";

/// One thing by which another proxy is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sign {
    /// A table of nftables.
    Table(Family, &'static str),
    /// A chain of an iptables that keeps its tables in nftables.
    Chain(Family),
    /// A chain of the older iptables.
    LegacyChain(Family),
}

/// Everything that is looked for, what costs little first.
const SIGNS: [Sign; 9] = [
    Sign::Table(Family::Ip, TABLE),
    Sign::Table(Family::Ip6, TABLE),
    Sign::Table(Family::Ip, DRAIN),
    Sign::Table(Family::Ip6, DRAIN),
    Sign::Table(Family::Inet, DRAIN),
    Sign::Chain(Family::Ip),
    Sign::Chain(Family::Ip6),
    Sign::LegacyChain(Family::Ip),
    Sign::LegacyChain(Family::Ip6),
];

/// Whether flows that we know nothing of are left alone.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Adoption {
    /// Whether they are.
    pub open: bool,
    /// By what another proxy is known, for people.
    pub because: Vec<String>,
}

/// Looks for another proxy in the network namespace in which it was made.
#[derive(Debug, Default)]
pub(crate) struct Lookout {
    netfilter: Option<Netfilter>,
    found: Found,
}

/// What looks have come to.
#[derive(Debug, Default)]
struct Found {
    looked_closely: Option<Instant>,
    signs: BTreeSet<Sign>,
    problems: BTreeSet<Problem>,
}

impl Adoption {
    fn of(found: &BTreeSet<Sign>) -> Self {
        let because: Vec<_> = found.iter().map(ToString::to_string).collect();
        Self { open: !because.is_empty(), because }
    }
}

impl Lookout {
    /// Looks; says whether anything is other than at the last look.
    pub(crate) fn look(&mut self, now: Instant) -> bool {
        let (before, netfilter) = (self.adoption(), &mut self.netfilter);
        self.found.look(now, |sign| sign.is_there(netfilter));
        let adoption = self.adoption();
        let is_other = adoption != before;
        if is_other {
            let Adoption { open, because } = &adoption;
            info!(open, ?because, "looked for rules of another proxy");
        }
        is_other
    }

    /// How things are as of the last look.
    pub(crate) fn adoption(&self) -> Adoption {
        Adoption::of(&self.found.signs)
    }

    /// What cannot be seen.
    pub(crate) fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.found.problems.iter()
    }
}

impl Found {
    /// Takes in what there is. What cannot be seen is as it was.
    fn look(&mut self, now: Instant, mut is_there: impl FnMut(Sign) -> hostnet::Result<bool>) {
        let is_close = self.looked_closely.is_none_or(|at| now.duration_since(at) >= SELDOM);
        if is_close {
            self.looked_closely = Some(now);
        }
        self.problems.clear();
        for sign in SIGNS.into_iter().filter(|sign| is_close || !sign.is_costly()) {
            match is_there(sign) {
                Ok(true) => drop(self.signs.insert(sign)),
                Ok(false) => drop(self.signs.remove(&sign)),
                Err(failure) => drop(self.problems.insert(unseen(&failure))),
            }
        }
    }
}

impl Sign {
    fn is_costly(self) -> bool {
        matches!(self, Self::LegacyChain(_))
    }

    /// Whether it is there; `netfilter` is opened where that is asked and was not before.
    fn is_there(self, netfilter: &mut Option<Netfilter>) -> hostnet::Result<bool> {
        let (table, chain) = CHAIN;
        if let Self::LegacyChain(family) = self {
            return xtables::has_chain(family, table, chain);
        }
        let opened = match netfilter.take() {
            Some(netfilter) => netfilter,
            None => Netfilter::here()?,
        };
        let netfilter = netfilter.insert(opened);
        match self {
            Self::Table(family, table) => netfilter.has_table(family, table),
            Self::Chain(family) | Self::LegacyChain(family) => {
                netfilter.has_chain(family, table, chain)
            }
        }
    }
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (table, chain) = CHAIN;
        match self {
            Self::Table(family, table) => write!(f, "nft table {family} {table}"),
            Self::Chain(family) => write!(f, "chain {chain} of nft table {family} {table}"),
            Self::LegacyChain(family) => {
                write!(f, "chain {chain} of iptables-legacy, {family} {table}")
            }
        }
    }
}

fn unseen(failure: &hostnet::Error) -> Problem {
    let message = format!(
        "may or may not be on this node: {failure}; flows that it began are taken for what they \
         were when that could be seen last"
    );
    Problem::note("another proxy", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a look comes to where these signs are there; none where nothing can be seen.
    fn look(found: &mut Found, now: Instant, there: Option<&[Sign]>) -> Vec<String> {
        found.look(now, |sign| match there {
            Some(there) => Ok(there.contains(&sign)),
            None => Err(hostnet::Error::new("look for", "it", "who knows")),
        });
        let Adoption { open, because } = Adoption::of(&found.signs);
        assert_eq!(open, !because.is_empty());
        because
    }

    #[test]
    fn the_window_is_open_while_anything_is_there_that_another_proxy_is_known_by() {
        let texts = [
            "nft table ip kube-proxy",
            "nft table ip6 kube-proxy",
            "nft table ip waggle-drain",
            "nft table ip6 waggle-drain",
            "nft table inet waggle-drain",
            "chain KUBE-SERVICES of nft table ip nat",
            "chain KUBE-SERVICES of nft table ip6 nat",
            "chain KUBE-SERVICES of iptables-legacy, ip nat",
            "chain KUBE-SERVICES of iptables-legacy, ip6 nat",
        ];
        for (sign, text) in SIGNS.into_iter().zip(texts) {
            let mut found = Found::default();
            assert_eq!(look(&mut found, Instant::now(), Some(&[sign])), [text]);
        }
        assert_eq!(look(&mut Found::default(), Instant::now(), Some(&[])), [""; 0]);
    }

    #[test]
    fn what_costs_much_is_looked_for_seldom_and_what_cannot_be_seen_is_as_it_was() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let (nft, legacy) = (Sign::Table(Family::Ip, TABLE), Sign::LegacyChain(Family::Ip));
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
            let because = look(&mut found, at(second), there);
            assert_eq!(because.len(), expected, "after {second} s: {because:?}");
        }
    }
}
