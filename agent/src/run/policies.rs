//! Whether NetworkPolicies are enforced, followed while the agent runs.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tracing::info;

use crate::config::EnforcedBy;
use crate::k8s::Event;
use crate::model::Name;
use crate::policies::{Unenforced, signs};
use crate::problem::Problem;
use crate::signs::{Lookout, SELDOM};

/// How long policies may be enforced by nobody before there is an Event: who enforces them may
/// start after this agent.
const GRACE: Duration = Duration::from_secs(30);

/// What is known of NetworkPolicies on this node.
pub(super) struct Policies {
    enforced_by: EnforcedBy,
    lookout: Lookout,
    looked: Option<Instant>,
    told: Told,
}

/// What was told of policies that nobody enforces.
#[derive(Debug, Default)]
struct Told {
    unenforced: Option<Unenforced>,
    /// Since when there is any.
    since: Option<Instant>,
    is_announced: bool,
}

impl Policies {
    pub(super) fn new(enforced_by: EnforcedBy) -> Self {
        let lookout = Lookout::new(signs());
        Self { enforced_by, lookout, looked: None, told: Told::default() }
    }

    /// Takes in what policies there are, and looks for those who enforce them once in a while; says
    /// whether anything is other than before.
    pub(super) fn follow(&mut self, policies: &BTreeSet<Name>, now: Instant) -> bool {
        let is_due = self.looked.is_none_or(|at| now.duration_since(at) >= SELDOM);
        if self.enforced_by == EnforcedBy::Auto && !policies.is_empty() && is_due {
            self.looked = Some(now);
            if self.lookout.look(now) {
                let by: Vec<_> = self.lookout.found().iter().map(ToString::to_string).collect();
                info!(?by, "looked for who enforces NetworkPolicies");
            }
        }
        let is_enforced = self.enforced_by == EnforcedBy::Other || !self.lookout.found().is_empty();
        let unenforced = Unenforced::of(policies).filter(|_| !is_enforced);
        self.told.take(unenforced, now)
    }

    /// What is to be told now, and not again until all was well in between.
    pub(super) fn news(&mut self, node: &str, now: Instant) -> Option<Event> {
        self.told.news(now).map(|unenforced| unenforced.event(node))
    }

    /// What is wrong.
    pub(super) fn problems(&self) -> impl Iterator<Item = Problem> {
        let unseen = self.lookout.failures().iter().map(|failure| {
            let message = format!("may be enforced by somebody who cannot be seen: {failure}");
            Problem::note("NetworkPolicies", message)
        });
        self.told.unenforced.iter().map(Unenforced::problem).chain(unseen)
    }
}

impl Told {
    fn take(&mut self, unenforced: Option<Unenforced>, now: Instant) -> bool {
        if unenforced.is_none() {
            (self.since, self.is_announced) = (None, false);
        } else {
            self.since.get_or_insert(now);
        }
        let is_other = self.unenforced != unenforced;
        self.unenforced = unenforced;
        is_other
    }

    fn news(&mut self, now: Instant) -> Option<&Unenforced> {
        let is_time = self.since.is_some_and(|since| now.duration_since(since) >= GRACE);
        if !is_time || self.is_announced {
            return None;
        }
        self.is_announced = true;
        self.unenforced.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_event_tells_of_all_policies_that_go_on_being_enforced_by_nobody() {
        let begin = Instant::now();
        let mut told = Told::default();
        for (name, second, policies, is_told) in [
            ("none", 0, &[][..], false),
            ("one", 100, &["b"], false),
            ("it may be early", 129, &["b"], false),
            ("it stays", 130, &["b"], true),
            ("the next round", 131, &["b"], false),
            ("another one", 140, &["a", "b"], false),
            ("much later", 900, &["a", "b"], false),
            ("enforced or gone", 901, &[], false),
            ("again", 902, &["c"], false),
            ("and it stays", 932, &["c"], true),
        ] {
            let now = begin + Duration::from_secs(second);
            let policies = policies.iter().map(|name| Name::new("shop", *name)).collect();
            told.take(Unenforced::of(&policies), now);
            assert_eq!(told.news(now).is_some(), is_told, "{name}");
        }
    }
}
