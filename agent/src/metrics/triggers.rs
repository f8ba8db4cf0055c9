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
