//! ServicePorts that are closed on this node, because their policy is Local and all of their
//! endpoints are elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use dataplane_common::abi::{Family, Scopes, ServiceFlags};

use crate::metrics::Policy;
use crate::state::{Desired, FamilyPort};

const POLICIES: [(Policy, ServiceFlags); 2] = [
    (Policy::Internal, ServiceFlags::INTERNAL_LOCAL),
    (Policy::External, ServiceFlags::EXTERNAL_LOCAL),
];

/// ServicePorts that are closed on this node.
#[derive(Debug, Default)]
pub(super) struct Closed(BTreeMap<(Family, Policy), BTreeSet<FamilyPort>>);

impl Closed {
    /// A ServicePort that is to be served so, or not at all.
    pub(super) fn note(&mut self, port: &FamilyPort, desired: Option<&Desired>) {
        for (policy, flag) in POLICIES {
            let ports = self.0.entry((port.family, policy)).or_default();
            if desired.is_some_and(|desired| is_closed(desired, flag)) {
                ports.insert(port.clone());
            } else {
                ports.remove(port);
            }
        }
    }

    /// How many there are in each family under each policy.
    pub(super) fn counts(&self) -> impl Iterator<Item = (Family, Policy, usize)> {
        [Family::V4, Family::V6].into_iter().flat_map(move |family| {
            POLICIES.map(|(policy, _)| {
                (family, policy, self.0.get(&(family, policy)).map_or(0, BTreeSet::len))
            })
        })
    }
}

fn is_closed(desired: &Desired, flag: ServiceFlags) -> bool {
    let is_local = desired.frontends.values().any(|frontend| frontend.flags.has(flag));
    let any = |scope| desired.backends.iter().any(|backend| backend.scopes.has(scope));
    is_local && any(Scopes::CLUSTER) && !any(Scopes::LOCAL)
}
