//! All collections together: their changes in one stream, and when they are whole.

use std::future::pending;
use std::mem;
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::backoff::Backoff;
use super::collection::Collection;
use super::entrance::Entrance;
use super::failure::{Failed, Failure};
use super::follow::{Follower, Word};
use super::health::{Contact, Health, Phase};
use super::ledger::Ledger;
use super::requests::Requests;
use super::version::Version;
use crate::k8s::Change;
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
    parts: [Part; 3],
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
    /// Ends the followers when this is dropped.
    _followers: JoinSet<()>,
}

/// What is known of one collection.
struct Part {
    collection: Collection,
    ledger: Ledger,
    contact: Contact,
    failure: Option<Failure>,
    is_listed: bool,
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
        Self {
            address: entrance.address,
            words,
            parts: Collection::ALL.map(Part::new),
            changes: Vec::new(),
            told: Vec::new(),
            is_other_phase: false,
            listed: None,
            due: None,
            enough: None,
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
                word = self.words.recv() => match word {
                    Some((collection, word)) => self.hear(collection, word),
                    None => pending().await,
                },
            }
        }
    }

    /// How it stands.
    #[must_use]
    pub fn health(&self) -> Health {
        let collections = self.parts.iter().map(|part| part.contact.clone());
        Health { address: self.address.clone(), collections: collections.collect() }
    }

    fn hear(&mut self, collection: Collection, word: Word) {
        let Some(part) = self.parts.iter_mut().find(|part| part.collection == collection) else {
            return;
        };
        let before = part.contact.phase;
        part.hear(word, &mut self.changes);
        self.is_other_phase |= part.contact.phase != before;
        let has_all = self.parts.iter().all(|part| part.is_listed);
        let has_services = self.parts.iter().all(|part| part.is_listed || part.is_spare());
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
        if self.parts.iter().all(|part| part.is_listed) {
            self.enough = None;
            let complete = self.parts.iter().all(|part| part.ledger.is_readable());
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
        failures.chain(self.parts.iter().flat_map(|part| part.ledger.problems()))
    }

    /// What fails, each once, with all the collections that it keeps from coming.
    fn failures(&self) -> Vec<(&Failure, Vec<Collection>)> {
        let mut failures: Vec<(&Failure, Vec<Collection>)> = Vec::new();
        for part in &self.parts {
            let Some(failure) = &part.failure else { continue };
            match failures.iter_mut().find(|(known, _)| *known == failure) {
                Some((_, collections)) => collections.push(part.collection),
                None => failures.push((failure, vec![part.collection])),
            }
        }
        failures
    }
}

impl Part {
    fn new(collection: Collection) -> Self {
        Self {
            collection,
            ledger: Ledger::new(collection),
            contact: Contact::new(collection.resource()),
            failure: None,
            is_listed: false,
        }
    }

    /// Whether Services can be served without it.
    fn is_spare(&self) -> bool {
        self.collection == Collection::Nodes
    }

    fn hear(&mut self, word: Word, changes: &mut Vec<Change>) {
        match word {
            Word::ListBegins => self.ledger.begin_list(),
            Word::Items(items) => {
                changes.extend(items.into_iter().filter_map(|item| self.ledger.take(item)));
            }
            Word::ListEnds(version) => {
                changes.extend(self.ledger.end_list());
                (self.is_listed, self.failure) = (true, None);
                self.contact.reach(version);
            }
            Word::Watching => {
                self.failure = None;
                self.contact.enter(Phase::Watching);
            }
            Word::Is(item, version) => {
                changes.extend(self.ledger.take(item));
                self.change(version);
            }
            Word::IsGone(name, version) => {
                changes.extend(self.ledger.remove(name, Version::of(&version)));
                self.change(version);
            }
            Word::Version(version) => self.contact.reach(version),
            Word::Failed(failure) => {
                self.failure = Some(failure);
                self.contact.enter(Phase::Failing);
            }
        }
    }

    fn change(&mut self, version: String) {
        self.contact.reach(version);
        self.contact.last_event = self.contact.version_at;
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}
