//! What load balancers ask about Services, as far as it is programmed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dataplane_common::abi::Family;

use crate::model::{HealthCheck, Name};

/// What load balancers ask about Services.
#[derive(Debug, Default)]
pub(super) struct Checks {
    told: Arc<BTreeMap<Name, HealthCheck>>,
    /// Services of which something else is to be told once it is programmed.
    later: BTreeSet<Name>,
}

impl Checks {
    pub(super) fn told(&self) -> &Arc<BTreeMap<Name, HealthCheck>> {
        &self.told
    }

    /// Something of a Service may have changed.
    pub(super) fn stale(&mut self, services: &BTreeSet<Name>) {
        self.later.extend(services.iter().cloned());
    }

    /// Looks again at each Service that may have changed. An endpoint that left is told at once,
    /// one that came once the tables lead to it.
    pub(super) fn refresh(
        &mut self,
        wanted: impl Fn(&Name) -> Option<HealthCheck>,
        is_failing: impl Fn(&Name, Family) -> bool,
    ) {
        for service in std::mem::take(&mut self.later) {
            let before = self.told.get(&service);
            let mut check = wanted(&service);
            for (family, count) in check.iter_mut().flat_map(|check| &mut check.local) {
                if is_failing(&service, *family) {
                    let before = before.and_then(|before| before.local.get(family)).copied();
                    *count = (*count).min(before.unwrap_or(0));
                    self.later.insert(service.clone());
                }
            }
            if before != check.as_ref() {
                let told = Arc::make_mut(&mut self.told);
                match check {
                    Some(check) => told.insert(service, check),
                    None => told.remove(&service),
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(port: u16, counts: [usize; 2]) -> HealthCheck {
        HealthCheck { port, local: [Family::V4, Family::V6].into_iter().zip(counts).collect() }
    }

    #[test]
    fn endpoints_that_leave_are_told_at_once_and_those_that_come_when_they_are_programmed() {
        let service = Name::new("shop", "cart");
        let mut checks = Checks::default();
        for (name, is_stale, wanted, failing, told) in [
            ("comes", true, Some(check(1, [0, 2])), None, Some(check(1, [0, 2]))),
            (
                "more in both",
                true,
                Some(check(1, [1, 3])),
                Some(Family::V6),
                Some(check(1, [1, 2])),
            ),
            (
                "less while it fails",
                true,
                Some(check(1, [0, 1])),
                Some(Family::V6),
                Some(check(1, [0, 1])),
            ),
            ("tried again", false, Some(check(1, [0, 4])), None, Some(check(1, [0, 4]))),
            ("nothing new", false, Some(check(9, [9, 9])), None, Some(check(1, [0, 4]))),
            ("other port", true, Some(check(2, [0, 4])), None, Some(check(2, [0, 4]))),
            ("goes", true, None, None, None),
        ] {
            if is_stale {
                checks.stale(&[service.clone()].into());
            }
            checks.refresh(|_| wanted.clone(), |_, family| failing == Some(family));
            assert_eq!(checks.told().get(&service), told.as_ref(), "{name}");
        }
    }
}
