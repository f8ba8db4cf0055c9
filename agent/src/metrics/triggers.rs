//! How long changes of endpoints take from their cause to the tables: the network programming
//! latency of SIG Scalability.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use dataplane_common::abi::Family;
use jiff::{SignedDuration, Timestamp};

use crate::k8s::{Change, Object};
use crate::model::Name;
use crate::moment::Moment;

/// How many changes of one Service may wait; of more the later ones are not measured.
const MOST: usize = 100;

/// Changes whose causes are known, and that are not programmed yet.
#[derive(Clone, Debug)]
pub struct Triggers {
    began: Instant,
    /// The last cause of each slice: it may come again with another version of the slice.
    last: BTreeMap<Name, Timestamp>,
    waiting: BTreeMap<(Name, Family), Vec<Waiting>>,
}

/// A change that waits. Its cause's time is of other nodes' clocks, so ours is asked once, when the
/// change comes; from then on a clock counts that does not jump.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    came: Instant,
    /// How long ago its cause was then; in time to come where clocks disagree.
    age: SignedDuration,
}

impl Waiting {
    /// How long it took, unless clocks disagree by more than that.
    fn took(&self, now: Instant) -> Option<Duration> {
        let since = SignedDuration::try_from(now.duration_since(self.came)).ok()?;
        Duration::try_from(self.age.checked_add(since)?).ok()
    }
}

impl Triggers {
    /// None so far. What was caused before `began` is not measured: nobody was there to do it.
    #[must_use]
    pub fn new(began: Instant) -> Self {
        Self { began, last: BTreeMap::new(), waiting: BTreeMap::new() }
    }

    /// Takes in a change.
    pub fn note(&mut self, change: &Change, now: Moment) {
        match change {
            Change::Apply(object) => self.apply(object, now),
            Change::Delete(object) => {
                self.last.remove(&object.name);
            }
            Change::SourceProblems(_) | Change::Listed { .. } => {}
        }
    }

    fn apply(&mut self, object: &Object, now: Moment) {
        let Some(trigger) = object.trigger() else { return };
        let is_known =
            self.last.insert(object.object_ref().name, trigger.time) == Some(trigger.time);
        let age = now.wall.duration_since(trigger.time);
        let is_earlier = Duration::try_from(age).is_ok_and(|age| age >= now.steady - self.began);
        if is_known || is_earlier {
            return;
        }
        let waiting = self.waiting.entry((trigger.service, trigger.family)).or_default();
        if waiting.len() < MOST {
            waiting.push(Waiting { came: now.steady, age });
        }
    }

    /// What is programmed by `now`, with how long it took.
    pub fn programmed(
        &mut self,
        is_failing: impl Fn(&Name, Family) -> bool,
        now: Instant,
    ) -> Vec<(Family, Duration)> {
        let done =
            self.waiting.extract_if(.., |(service, family), _| !is_failing(service, *family));
        let latencies = done.flat_map(|((_, family), changes)| {
            changes.into_iter().filter_map(move |change| Some((family, change.took(now)?)))
        });
        latencies.collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::k8s::Resource;

    fn slice(name: &str, family: &str, trigger: &str) -> Change {
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {
                "name": name, "namespace": "shop",
                "labels": {"kubernetes.io/service-name": "cart"},
                "annotations": {"endpoints.kubernetes.io/last-change-trigger-time": trigger},
            },
            "addressType": family, "endpoints": [],
        });
        let resource = Resource::EndpointSlice(serde_json::from_value(slice).unwrap());
        Change::Apply(Object { location: None, resource }.into())
    }

    #[test]
    fn each_cause_since_the_start_is_measured_once_when_it_is_programmed() {
        let time = |text: &str| format!("2026-01-01T00:00:{text}Z").parse::<Timestamp>().unwrap();
        let at = |text: &str| time(text).to_string();
        let start = Instant::now();
        let steady = |wall: Timestamp| start + wall.duration_since(time("10")).unsigned_abs();
        let mut triggers = Triggers::new(start);
        for (name, slices, failing, now, expected) in [
            ("from before the start", vec![("a", "IPv4", at("10"))], None, "11", vec![]),
            ("no time", vec![("a", "IPv4", "soon".to_owned())], None, "11", vec![]),
            ("once", vec![("a", "IPv4", at("11.5"))], None, "12", vec![(Family::V4, 500)]),
            ("again", vec![("a", "IPv4", at("11.5"))], None, "13", vec![]),
            (
                "both families, one fails",
                vec![("a", "IPv4", at("14")), ("b", "IPv6", at("14"))],
                Some(Family::V6),
                "15",
                vec![(Family::V4, 1000)],
            ),
            ("programmed later", vec![], None, "17", vec![(Family::V6, 3000)]),
            ("by a clock ahead", vec![("a", "IPv4", at("30"))], None, "20", vec![]),
        ] {
            for (slice_name, family, trigger) in &slices {
                let now = Moment { wall: time(now), steady: steady(time(now)) };
                triggers.note(&slice(slice_name, family, trigger), now);
            }
            let is_failing = |_: &Name, family| failing == Some(family);
            let found = triggers.programmed(is_failing, steady(time(now)));
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(family, millis)| (family, Duration::from_millis(millis)))
                .collect();
            assert_eq!(found, expected, "{name}");
        }
    }

    /// The clock that people read is set, by these seconds, between the start and a change, or
    /// between that and its end.
    #[test]
    fn a_clock_that_jumps_changes_no_latency() {
        let (start, wall) = (Instant::now(), "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap());
        for jump in [-3600, -1, 0, 1, 3600] {
            let (mut triggers, come) = (Triggers::new(start), start + Duration::from_secs(20));
            let jumped = wall + SignedDuration::from_secs(20 + jump);
            let now = Moment { wall: jumped, steady: come };
            for (name, seconds) in [("before", -21), ("after", -19)] {
                let cause = jumped + SignedDuration::from_secs(seconds);
                triggers.note(&slice(name, "IPv4", &cause.to_string()), now);
            }
            let found = triggers.programmed(|_, _| false, come + Duration::from_secs(2));
            assert_eq!(found, [(Family::V4, Duration::from_secs(21))], "by {jump} s");
        }
    }
}
