//! Which endpoints are near, by the hints that their controller gives.

use std::collections::BTreeSet;

use super::Here;
use crate::model::{Endpoint, Hints};

/// The endpoints that are preferred to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Near<'a> {
    /// Those meant for this node.
    Node(&'a str),
    /// Those meant for this zone.
    Zone(&'a str),
    /// All are alike.
    All,
}

impl<'a> Near<'a> {
    /// What the hints of ready endpoints come to: they count where every endpoint has one and any is
    /// for us, those of nodes before those of zones (KEP-3015).
    pub(super) fn of<'e>(
        ready: &(impl Iterator<Item = &'e Endpoint> + Clone),
        here: Here<'a>,
    ) -> Self {
        let (node, zone) = (here.node, here.zone);
        let named = |names: fn(&Hints) -> &BTreeSet<String>, own: &str| {
            let names = |endpoint: &'e Endpoint| endpoint.hints.as_deref().map(names);
            let mut all = ready.clone();
            all.all(|endpoint| names(endpoint).is_some_and(|names| !names.is_empty()))
                && ready.clone().any(|endpoint| names(endpoint).is_some_and(|it| it.contains(own)))
        };
        match zone {
            _ if named(|hints| &hints.nodes, node) => Self::Node(node),
            Some(zone) if named(|hints| &hints.zones, zone) => Self::Zone(zone),
            Some(_) | None => Self::All,
        }
    }

    /// Whether an endpoint is among them.
    pub(super) fn admits(self, endpoint: &Endpoint) -> bool {
        let hints = endpoint.hints.as_deref();
        match self {
            Self::Node(node) => hints.is_some_and(|hints| hints.nodes.contains(node)),
            Self::Zone(zone) => hints.is_some_and(|hints| hints.zones.contains(zone)),
            Self::All => true,
        }
    }
}
