//! NetworkPolicies: this agent enforces none, and says so where nobody else on the node does.

use std::collections::BTreeSet;

use hostnet::netfilter::Family;

use crate::k8s::{Event, Kind, ObjectRef};
use crate::model::Name;
use crate::problem::Problem;
use crate::signs::Sign;

/// The tables of those that keep their own: kube-network-policies alone and in kindnet, Calico and
/// kube-router in their nftables modes.
const TABLES: [(Family, &str); 6] = [
    (Family::Inet, "kube-network-policies"),
    (Family::Inet, "kindnet-network-policies"),
    (Family::Ip, "calico"),
    (Family::Ip6, "calico"),
    (Family::Ip, "kube-router-filter-ipv4"),
    (Family::Ip6, "kube-router-filter-ipv6"),
];

/// The chains of iptables' table `filter` that Calico, Cilium, kube-router (k3s has it too), Antrea,
/// Azure's NPM and Weave's have whatever policies there are.
const CHAINS: [&str; 6] = [
    "cali-FORWARD",
    "CILIUM_FORWARD",
    "KUBE-NWPLCY-DEFAULT",
    "ANTREA-FORWARD",
    "AZURE-NPM",
    "WEAVE-NPC",
];

/// By what those are known that enforce NetworkPolicies, what costs little first.
pub(crate) fn signs() -> impl Iterator<Item = Sign> {
    let tables = TABLES.into_iter().map(|(family, table)| Sign::Table(family, table));
    let chains = |of: fn(Family, &'static str, &'static str) -> Sign| {
        let families = [Family::Ip, Family::Ip6].into_iter();
        families.flat_map(move |family| CHAINS.map(|chain| of(family, "filter", chain)))
    };
    tables.chain(chains(Sign::Chain)).chain(chains(Sign::LegacyChain))
}

/// NetworkPolicies that nothing on the node enforces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unenforced {
    /// The first by its name.
    pub(crate) first: Name,
    /// How many there are beside it.
    pub(crate) others: usize,
}

impl Unenforced {
    /// None of them, if there are any.
    pub(crate) fn of(policies: &BTreeSet<Name>) -> Option<Self> {
        let first = policies.first()?.clone();
        Some(Self { first, others: policies.len() - 1 })
    }

    /// What is to be told as long as it is so.
    pub(crate) fn problem(&self) -> Problem {
        let also = match self.others {
            0 => String::new(),
            1 => ", and neither is another one".to_owned(),
            others => format!(", and neither are {others} others"),
        };
        let message = format!(
            "is enforced by nothing on this node{also}: whatever they forbid passes; run \
             kube-network-policies or another program that enforces them on every node, or, if one \
             does that is not seen here, set networkPolicy.enforcedBy: other"
        );
        Problem::error(self.object().to_string(), message)
    }

    /// What is to be told once, beside the object.
    pub(crate) fn event(&self, node: &str) -> Event {
        let all = self.others + 1;
        Event {
            about: self.object(),
            is_warning: true,
            reason: "NetworkPolicyNotEnforced",
            action: "Enforce",
            note: format!(
                "nothing on node {node} enforces NetworkPolicies, of which there are {all}"
            ),
            node: node.to_owned(),
        }
    }

    fn object(&self) -> ObjectRef {
        ObjectRef { kind: Kind::NetworkPolicy, name: self.first.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_policy_is_named_and_the_others_are_counted() {
        let names = [("shop", "deny"), ("bank", "vault"), ("shop", "allow")];
        let policies = |count| -> BTreeSet<Name> {
            names[..count].iter().map(|(namespace, name)| Name::new(*namespace, *name)).collect()
        };
        for (count, expected) in [
            (0, None),
            (1, Some("NetworkPolicy shop/deny is enforced by nothing on this node: ")),
            (
                2,
                Some(
                    "NetworkPolicy bank/vault is enforced by nothing on this node, and neither is another one: ",
                ),
            ),
            (
                3,
                Some(
                    "NetworkPolicy bank/vault is enforced by nothing on this node, and neither are 2 others: ",
                ),
            ),
        ] {
            let told = Unenforced::of(&policies(count)).map(|it| it.problem().to_string());
            let begin = told.as_deref().and_then(|text| text.split_inclusive(": ").next());
            assert_eq!(begin, expected, "{count}");
        }
    }

    #[test]
    fn those_who_enforce_are_known_by_names_that_do_not_depend_on_policies() {
        let all: Vec<_> = signs().map(|sign| sign.to_string()).collect();
        assert_eq!(all.len(), 30);
        for sign in [
            "nft table inet kindnet-network-policies",
            "nft table ip6 calico",
            "chain cali-FORWARD of nft table ip filter",
            "chain KUBE-NWPLCY-DEFAULT of iptables-legacy, ip6 filter",
        ] {
            assert!(all.iter().any(|other| other == sign), "{sign}: {all:?}");
        }
    }
}
