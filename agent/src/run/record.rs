//! When state.json is written: only with something new in it, and not too often, for all Services
//! are in it each time.

use std::time::Duration;

use tokio::time::Instant;

use crate::kube::{Health, Phase};
use crate::network::NetworkState;
use crate::problem::Problem;

/// How often each part makes the file be written at most. What is new of the network does not wait
/// for what was new of Services, so that who is served at last is told so at once.
const OFTEN: Duration = Duration::from_millis(500);
/// The same for what only tells how old the rest is, and after a failure.
const SELDOM: Duration = Duration::from_secs(30);

/// What there is to be written down, by what tells it from anything else.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Mark {
    /// The revision of objects and tables.
    pub(super) revision: u64,
    /// The network, once it was looked after.
    pub(super) network: Option<NetworkState>,
    /// The API server.
    pub(super) api: Option<Health>,
    /// What is wrong beside those: with the servers of health and metrics, and with policies.
    pub(super) others: Vec<Problem>,
}

/// What was written down, and when.
#[derive(Debug)]
pub(super) struct Record {
    objects: Part<(u64, Vec<Phase>)>,
    network: Part<NetworkState>,
    others: Part<Vec<Problem>>,
    times: Part<Option<Health>>,
}

/// Something that is written down in its own time.
#[derive(Debug)]
struct Part<T> {
    pace: Duration,
    written: Option<T>,
    not_before: Option<Instant>,
}

impl Mark {
    fn objects(&self) -> (u64, Vec<Phase>) {
        let collections = self.api.iter().flat_map(|health| &health.collections);
        (self.revision, collections.map(|contact| contact.phase).collect())
    }
}

impl Default for Record {
    fn default() -> Self {
        Self {
            objects: Part::new(OFTEN),
            network: Part::new(OFTEN),
            others: Part::new(OFTEN),
            times: Part::new(SELDOM),
        }
    }
}

impl Record {
    /// When the file is to be written, if there is anything that is not in it.
    pub(super) fn due(&self, mark: &Mark, now: Instant) -> Option<Instant> {
        let objects = self.objects.due(&mark.objects(), now);
        let network = mark.network.as_ref().and_then(|network| self.network.due(network, now));
        let others = self.others.due(&mark.others, now);
        [objects, network, others, self.times.due(&mark.api, now)].into_iter().flatten().min()
    }

    /// The file was written, or that failed.
    pub(super) fn tried(&mut self, mark: Mark, is_written: bool, now: Instant) {
        self.objects.tried(mark.objects(), is_written, now);
        if let Some(network) = mark.network {
            self.network.tried(network, is_written, now);
        }
        self.others.tried(mark.others, is_written, now);
        self.times.tried(mark.api, is_written, now);
    }

    /// Somebody removed the file.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

impl<T: PartialEq> Part<T> {
    fn new(pace: Duration) -> Self {
        Self { pace, written: None, not_before: None }
    }

    fn due(&self, value: &T, now: Instant) -> Option<Instant> {
        let is_new = self.written.as_ref() != Some(value);
        is_new.then(|| self.not_before.map_or(now, |time| time.max(now)))
    }

    fn tried(&mut self, value: T, is_written: bool, now: Instant) {
        if self.written.as_ref() != Some(&value) {
            self.not_before = Some(now + if is_written { self.pace } else { SELDOM });
            self.written = is_written.then_some(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::Contact;
    use crate::problem::Problem;

    /// What happens: after so many milliseconds there is this to be written.
    type Happening = (u64, Mark);

    fn served(revision: u64) -> Mark {
        Mark { revision, ..Mark::default() }
    }

    fn network(number: u64) -> Mark {
        let problems = [Problem::error("hook", number.to_string())].into();
        let network = Some(NetworkState { problems, ..NetworkState::default() });
        Mark { network, ..served(1) }
    }

    fn api(phase: Phase, second: i64) -> Mark {
        let at = jiff::Timestamp::from_second(second).unwrap();
        let contact = Contact {
            resource: "nodes".to_owned(),
            phase,
            since: jiff::Timestamp::UNIX_EPOCH,
            last_event: None,
            resource_version: None,
            version_at: Some(at),
        };
        let health = Health { address: "here".to_owned(), collections: vec![contact] };
        Mark { api: Some(health), ..served(1) }
    }

    /// The milliseconds at which the file is written; `fails` at which that fails.
    fn written(happenings: &[Happening], fails: &[u64]) -> Vec<u64> {
        let start = Instant::now();
        let (mut record, mut written) = (Record::default(), Vec::new());
        for (index, (begin, mark)) in happenings.iter().enumerate() {
            let end = happenings.get(index + 1).map_or(u64::MAX, |(next, _)| *next);
            let mut now = *begin;
            while let Some(due) = record.due(mark, start + Duration::from_millis(now)) {
                let due = u64::try_from((due - start).as_millis()).unwrap();
                if due >= end {
                    break;
                }
                now = due;
                let time = start + Duration::from_millis(now);
                record.tried(mark.clone(), !fails.contains(&now), time);
                written.push(now);
            }
        }
        written
    }

    #[test]
    fn the_file_is_written_when_something_is_new_and_in_time() {
        use Phase::{Failing, Watching};

        let every = |step: u64, mark: fn(u64) -> Mark| -> Vec<Happening> {
            (0..20).map(|count| (count * step, mark(count))).collect()
        };
        let quick = |mark: fn(u64) -> Mark| every(100, mark);
        let halves = vec![0, 500, 1000, 1500, 2000];
        for (name, happenings, fails, expected) in [
            ("nothing new", quick(|_| served(1)), vec![], vec![0]),
            ("Services that change", quick(served), vec![], halves.clone()),
            ("devices that change", quick(network), vec![], halves),
            (
                "a network that is served right after a Service",
                vec![(0, served(1)), (10, network(1)), (20, network(1)), (30, network(1))],
                vec![],
                vec![0, 10],
            ),
            (
                "an API server that only tells its version",
                every(10_000, |count| api(Watching, i64::try_from(count).unwrap())),
                vec![],
                vec![0, 30_000, 60_000, 90_000, 120_000, 150_000, 180_000, 210_000],
            ),
            (
                "an API server that is lost",
                vec![(0, api(Watching, 1)), (700, api(Failing, 1))],
                vec![],
                vec![0, 700],
            ),
            ("a failure", vec![(0, served(1)), (100, served(2))], vec![0], vec![0, 30_000]),
        ] {
            assert_eq!(written(&happenings, &fails), expected, "{name}");
        }
    }

    #[test]
    fn a_file_that_was_removed_is_written_again() {
        let (now, mut record) = (Instant::now(), Record::default());
        record.tried(served(1), true, now);
        assert_eq!(record.due(&served(1), now), None);
        record.forget();
        assert_eq!(record.due(&served(1), now), Some(now));
    }
}
