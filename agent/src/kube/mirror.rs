//! What is known of one collection, as its follower tells it.

use super::collection::Collection;
use super::failure::Failure;
use super::follow::Word;
use super::health::{Contact, Phase};
use super::ledger::Ledger;
use super::version::Version;
use crate::k8s::Change;

/// What is known of one collection.
pub(super) struct Mirror {
    pub(super) collection: Collection,
    pub(super) ledger: Ledger,
    pub(super) contact: Contact,
    pub(super) failure: Option<Failure>,
    pub(super) is_listed: bool,
}

impl Mirror {
    pub(super) fn new(collection: Collection) -> Self {
        Self {
            collection,
            ledger: Ledger::new(collection),
            contact: Contact::new(collection.resource()),
            failure: None,
            is_listed: false,
        }
    }

    /// Whether Services can be served without it.
    pub(super) fn is_spare(&self) -> bool {
        self.collection == Collection::Nodes || self.is_optional()
    }

    /// Whether its absence, however caused, changes nothing for all else.
    pub(super) fn is_optional(&self) -> bool {
        self.collection.is_optional()
    }

    pub(super) fn hear(&mut self, word: Word, changes: &mut Vec<Change>) {
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
            Word::Failed(failure) if self.is_optional() && failure.is_of_absence() => {
                self.contact.enter(Phase::Absent);
            }
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
