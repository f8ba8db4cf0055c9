//! Who has a frontend when more than one Service names it: whose cluster IP it is, then the oldest,
//! on every node alike.

use std::collections::{BTreeMap, BTreeSet};

use dataplane_common::abi::FrontendKey;

use super::frontends::frontends;
use crate::model::{
    Name, Protocol, Role, ServicePortName, ServiceSpec, frontend_text, node_port_range, node_ports,
};
use crate::problem::Problem;

/// All frontends that Services name.
#[derive(Debug, Default)]
pub(super) struct Claims {
    by_frontend: BTreeMap<FrontendKey, BTreeSet<Claim>>,
    contested: BTreeSet<FrontendKey>,
}

/// What came of it that a Service claims something else.
#[derive(Debug, Default)]
pub(super) struct Moved {
    /// Who won or lost something.
    pub(super) services: BTreeSet<Name>,
    /// Whether there are other [`Claims::problems`].
    pub(super) contests: bool,
}

/// Ordered by right, by age, then by name; without a date of creation, as files mostly are, last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    /// The API gives cluster IPs to one Service each, but others may name any address they like.
    is_foreign: bool,
    created: i64,
    port: ServicePortName,
}

impl Claims {
    /// Replaces what one Service claims.
    pub(super) fn replace(
        &mut self,
        old: Option<&ServiceSpec>,
        new: Option<&ServiceSpec>,
    ) -> Moved {
        let old: Vec<_> = old.map(claims).into_iter().flatten().collect();
        let new: Vec<_> = new.map(claims).into_iter().flatten().collect();
        let touched: BTreeSet<_> = old.iter().chain(&new).map(|(key, _)| *key).collect();
        let before: Vec<_> = touched.iter().map(|key| self.winner(key).cloned()).collect();
        for (key, claim) in &old {
            self.withdraw(key, claim);
        }
        for (key, claim) in new {
            self.by_frontend.entry(key).or_default().insert(claim);
        }
        let mut moved = Moved::default();
        for (key, before) in touched.iter().zip(before) {
            moved.contests |= self.note_contest(key);
            let after = self.winner(key).cloned();
            if before != after {
                moved
                    .services
                    .extend([before, after].into_iter().flatten().map(|port| port.service));
            }
        }
        moved
    }

    /// Who has a frontend.
    pub(super) fn winner(&self, key: &FrontendKey) -> Option<&ServicePortName> {
        self.by_frontend.get(key)?.first().map(|claim| &claim.port)
    }

    /// The lowest and the highest NodePort that is named.
    pub(super) fn node_port_range(&self) -> Option<(u16, u16)> {
        node_port_range(&self.by_frontend)
    }

    /// The NodePorts.
    pub(super) fn node_ports(&self) -> BTreeSet<(u16, Protocol)> {
        node_ports(&self.by_frontend)
    }

    /// One problem for each Service that names a frontend another one has.
    pub(super) fn problems(&self) -> impl Iterator<Item = (Name, Problem)> {
        self.contested.iter().flat_map(|key| {
            let mut claims = self.by_frontend.get(key).into_iter().flatten();
            let winner = claims.next();
            claims.filter_map(move |loser| Some((loser, winner?))).map(|(loser, winner)| {
                let message = format!(
                    "does not get {} for {}: {} has it, {}; change the address or the port of one \
                     of them",
                    frontend_text(key),
                    loser.port,
                    winner.port,
                    winner.reason_over(loser),
                );
                let service = &loser.port.service;
                (service.clone(), Problem::error(format!("Service {service}"), message))
            })
        })
    }

    fn withdraw(&mut self, key: &FrontendKey, claim: &Claim) {
        if let Some(claims) = self.by_frontend.get_mut(key) {
            claims.remove(claim);
            if claims.is_empty() {
                self.by_frontend.remove(key);
            }
        }
    }

    /// Says whether it is or was contested.
    fn note_contest(&mut self, key: &FrontendKey) -> bool {
        if self.by_frontend.get(key).is_some_and(|claims| claims.len() > 1) {
            self.contested.insert(*key);
            true
        } else {
            self.contested.remove(key)
        }
    }
}

impl Claim {
    /// Why this one wins.
    fn reason_over(&self, loser: &Self) -> &'static str {
        if self.is_foreign != loser.is_foreign {
            "whose cluster IP it is"
        } else if self.created < loser.created {
            "which is older"
        } else {
            "which is first by name"
        }
    }
}

fn claims(spec: &ServiceSpec) -> impl Iterator<Item = (FrontendKey, Claim)> {
    let created = spec.created.unwrap_or(i64::MAX);
    frontends(spec).map(move |(key, role, port)| {
        (key, Claim { is_foreign: role != Role::ClusterIp, created, port })
    })
}
