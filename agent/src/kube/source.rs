//! All collections together: their changes in one stream, and when they are whole.

use std::future::pending;
use std::mem;
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::backoff::Backoff;
use super::collection::Collection;
use super::condition::Condition;
use super::entrance::Entrance;
use super::events::Announcer;
use super::failure::{Failed, Failure};
use super::follow::{Follower, Word};
use super::health::Health;
use super::mirror::Mirror;
use super::requests::Requests;
use crate::k8s::{Change, Event};
use crate::problem::Problem;

/// How long after a first change further ones are waited for: endpoints come in bursts.
const DEBOUNCE: Duration = Duration::from_millis(20);

/// How many changes are not waited with.
const MANY: usize = 2000;

/// How many words may wait to be heard: with them, a list's objects.
const WORDS: usize = 4;

/// Services and their endpoints are acted upon after this time, even if Nodes do not come.
const WITHOUT_NODES: Duration = Duration::from_secs(10);

/// The API server as a source of objects.
pub struct ApiServer {
    address: String,
    words: Receiver<(Collection, Word)>,
    mirrors: [Mirror; Collection::ALL.len()],
    changes: Vec<Change>,
    told: Vec<Problem>,
    /// Whether a collection is in another phase than was told.
    is_other_phase: bool,
    /// Whether what was listed was said to be complete, once it was said.
    listed: Option<bool>,
    /// When changes are given out.
    due: Option<Instant>,
    /// When what there is will do, if not everything came.
    enough: Option<Instant>,
    announcer: Announcer,
    condition: Condition,
    /// Ends the followers when this is dropped.
    _followers: JoinSet<()>,
}

impl ApiServer {
    /// Begins to follow what there is. To be called within a tokio runtime.
    #[must_use]
    pub fn follow(entrance: Entrance) -> Self {
        let (sender, words) = channel(WORDS);
        let mut followers = JoinSet::new();
        for collection in Collection::ALL {
            let follower = Follower {
                requests: Requests { entrance: entrance.clone(), collection },
                words: sender.clone(),
                backoff: Backoff::default(),
            };
            followers.spawn(follower.follow());
        }
        let announcer = Announcer::begin(entrance.clone(), &mut followers);
        let condition = Condition::begin(entrance.clone(), &mut followers);
        Self {
            address: entrance.address,
            words,
            mirrors: Collection::ALL.map(Mirror::new),
            changes: Vec::new(),
            told: Vec::new(),
            is_other_phase: false,
            listed: None,
            due: None,
            enough: None,
            announcer,
            condition,
            _followers: followers,
        }
    }

    /// Waits for changes, or, without any, for another phase of a collection. May be dropped and
    /// called again.
    pub async fn next(&mut self) -> Vec<Change> {
        loop {
            if self.due.is_some_and(|due| due <= Instant::now()) {
                self.due = None;
                self.settle();
                let changes = mem::take(&mut self.changes);
                if mem::take(&mut self.is_other_phase) || !changes.is_empty() {
                    return changes;
                }
            }
            tokio::select! {
                biased;
                () = until(self.due) => {}
                () = until(self.enough) => self.be_content(),
                () = self.condition.changed() => self.due = Some(Instant::now()),
                word = self.words.recv() => match word {
                    Some((collection, word)) => self.hear(collection, word),
                    None => pending().await,
                },
            }
        }
    }

    /// Writes an Event there, if it can be written.
    pub fn announce(&self, event: Event) {
        self.announcer.announce(event);
    }

    /// Takes back the condition `NetworkUnavailable` of this Node, or of none any longer.
    pub fn make_available(&self, node: Option<String>) {
        self.condition.wish(node);
    }

    /// How it stands.
    #[must_use]
    pub fn health(&self) -> Health {
        let collections = self.mirrors.iter().map(|mirror| mirror.contact.clone());
        Health { address: self.address.clone(), collections: collections.collect() }
    }

    fn hear(&mut self, collection: Collection, word: Word) {
        let Some(mirror) = self.mirrors.iter_mut().find(|mirror| mirror.collection == collection)
        else {
            return;
        };
        let before = mirror.contact.phase;
        mirror.hear(word, &mut self.changes);
        self.is_other_phase |= mirror.contact.phase != before;
        let has_all = self.needed().all(|mirror| mirror.is_listed);
        let has_services = self.mirrors.iter().all(|mirror| mirror.is_listed || mirror.is_spare());
        if has_services && !has_all && self.listed.is_none() && self.enough.is_none() {
            self.enough = Some(Instant::now() + WITHOUT_NODES);
        }
        let is_urgent = self.changes.len() >= MANY || (has_all && self.listed.is_none());
        let due = Instant::now() + if is_urgent { Duration::ZERO } else { DEBOUNCE };
        self.due = Some(self.due.map_or(due, |before| before.min(due)));
    }

    /// Says what is wrong if that changed, and, where it is so, that everything has been listed.
    fn settle(&mut self) {
        let problems: Vec<_> = self.problems().collect();
        if problems != self.told {
            self.told.clone_from(&problems);
            self.changes.push(Change::SourceProblems(problems));
        }
        if self.needed().all(|mirror| mirror.is_listed) {
            self.enough = None;
            let complete = self.needed().all(|mirror| mirror.ledger.is_readable());
            if self.listed.is_none() || (complete && self.listed == Some(false)) {
                self.listed = Some(complete);
                self.changes.push(Change::Listed { complete });
            }
        }
    }

    /// Goes on with Services and endpoints alone. Nothing is taken out that way.
    fn be_content(&mut self) {
        self.enough = None;
        if self.listed.is_none() {
            self.listed = Some(false);
            self.changes.push(Change::Listed { complete: false });
            self.due = Some(Instant::now());
        }
    }

    fn problems(&self) -> impl Iterator<Item = Problem> {
        let failures = self.failures().into_iter().map(|(failure, collections)| {
            let message = Failed(failure, &collections).to_string();
            Problem::error(format!("API server {}", self.address), message)
        });
        let unreadable = self.mirrors.iter().flat_map(|mirror| mirror.ledger.problems());
        failures.chain(unreadable).chain(self.condition.problem())
    }

    /// All but those that may be missing.
    fn needed(&self) -> impl Iterator<Item = &Mirror> {
        self.mirrors.iter().filter(|mirror| !mirror.is_optional())
    }

    /// What fails, each once, with all the collections that it keeps from coming.
    fn failures(&self) -> Vec<(&Failure, Vec<Collection>)> {
        let mut failures: Vec<(&Failure, Vec<Collection>)> = Vec::new();
        for mirror in self.needed() {
            let Some(failure) = &mirror.failure else { continue };
            match failures.iter_mut().find(|(known, _)| *known == failure) {
                Some((_, collections)) => collections.push(mirror.collection),
                None => failures.push((failure, vec![mirror.collection])),
            }
        }
        failures
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}
