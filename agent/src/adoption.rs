//! Whether another proxy's rules are on this node, or what was left of them for its flows. While they
//! are, flows that we know nothing of may be theirs, and the kernel programs leave them alone.

use std::collections::BTreeSet;

use hostnet::netfilter::Family;
use serde::{Deserialize, Serialize};

use crate::problem::Problem;
use crate::signs::{Lookout, Sign};

/// The table of a kube-proxy in nftables mode.
const TABLE: &str = "kube-proxy";
/// The table and the chain of a kube-proxy in iptables mode.
const NAT: &str = "nat";
const CHAIN: &str = "KUBE-SERVICES";
/// The table in which flows of a kube-proxy that has gone come to their end.
const DRAIN: &str = "waggle-drain";

/// Everything that is looked for, what costs little first.
pub(crate) const SIGNS: [Sign; 9] = [
    Sign::Table(Family::Ip, TABLE),
    Sign::Table(Family::Ip6, TABLE),
    Sign::Table(Family::Ip, DRAIN),
    Sign::Table(Family::Ip6, DRAIN),
    Sign::Table(Family::Inet, DRAIN),
    Sign::Chain(Family::Ip, NAT, CHAIN),
    Sign::Chain(Family::Ip6, NAT, CHAIN),
    Sign::LegacyChain(Family::Ip, NAT, CHAIN),
    Sign::LegacyChain(Family::Ip6, NAT, CHAIN),
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

impl Adoption {
    pub(crate) fn of(found: &BTreeSet<Sign>) -> Self {
        let because: Vec<_> = found.iter().map(ToString::to_string).collect();
        Self { open: !because.is_empty(), because }
    }
}

/// What cannot be seen.
pub(crate) fn unseen(lookout: &Lookout) -> impl Iterator<Item = Problem> {
    lookout.failures().iter().map(|failure| {
        let message = format!(
            "may or may not be on this node: {failure}; flows that it began are taken for what they \
             were when that could be seen last"
        );
        Problem::note("another proxy", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let expected = Adoption { open: true, because: vec![text.to_owned()] };
            assert_eq!(Adoption::of(&[sign].into()), expected);
        }
        assert_eq!(Adoption::of(&BTreeSet::new()), Adoption::default());
    }
}
