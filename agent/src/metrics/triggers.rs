//! How long changes of endpoints take from their cause to the tables: the network programming
//! latency of SIG Scalability.

use std::collections::BTreeMap;
use std::time::Duration;

use dataplane_common::abi::Family;
use jiff::Timestamp;

use crate::k8s::{Change, Object};
use crate::model::Name;

/// How many changes of one Service may wait; of more the later ones are not measured.
const MOST: usize = 100;

/// Changes whose causes are known, and that are not programmed yet.
#[derive(Clone, Debug)]
pub struct Triggers {
    began: Timestamp,
    /// The last cause of each slice: it may come again with another version of the slice.
    last: BTreeMap<Name, Timestamp>,
    waiting: BTreeMap<(Name, Family), Vec<Timestamp>>,
}

impl Triggers {
    /// None so far. What was caused before `began` is not measured: nobody was there to do it.
    #[must_use]
    pub fn new(began: Timestamp) -> Self {
        Self { began, last: BTreeMap::new(), waiting: BTreeMap::new() }
    }

    /// Takes in a change.
    pub fn note(&mut self, change: &Change) {
        match change {
            Change::Apply(object) => self.apply(object),
            Change::Delete(object) => {
                self.last.remove(&object.name);
            }
            Change::SourceProblems(_) | Change::Listed { .. } => {}
        }
    }

    fn apply(&mut self, object: &Object) {
        let Some(trigger) = object.trigger() else { return };
        let is_known =
            self.last.insert(object.object_ref().name, trigger.time) == Some(trigger.time);
        if is_known || trigger.time <= self.began {
            return;
        }
        let waiting = self.waiting.entry((trigger.service, trigger.family)).or_default();
        if waiting.len() < MOST {
            waiting.push(trigger.time);
        }
    }

    /// What is programmed by `now`, with how long it took.
    pub fn programmed(
        &mut self,
        is_failing: impl Fn(&Name, Family) -> bool,
        now: Timestamp,
    ) -> Vec<(Family, Duration)> {
        let done =
            self.waiting.extract_if(.., |(service, family), _| !is_failing(service, *family));
        let latencies = done.flat_map(|((_, family), times)| {
            // The clocks of two nodes may disagree.
            let took = move |time| Duration::try_from(now.duration_since(time)).ok();
            times.into_iter().filter_map(move |time| Some((family, took(time)?)))
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
        let mut triggers = Triggers::new(time("10"));
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
                triggers.note(&slice(slice_name, family, trigger));
            }
            let is_failing = |_: &Name, family| failing == Some(family);
            let found = triggers.programmed(is_failing, time(now));
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(family, millis)| (family, Duration::from_millis(millis)))
                .collect();
            assert_eq!(found, expected, "{name}");
        }
    }
}
