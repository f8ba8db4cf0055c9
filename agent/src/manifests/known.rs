//! What a file said before, by the texts it was read from, so that what is still there word for
//! word is neither read nor kept a second time.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use crate::k8s::Object;
use crate::problem::Location;

/// An object of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The object.
    pub object: Arc<Object>,
    /// Of the text that the object is all of.
    pub(super) digest: Option<u64>,
    /// Whether text and place are those of before.
    pub(super) is_as_before: bool,
}

/// The objects of a file by their texts, while it is read again.
#[derive(Debug, Default)]
pub(super) struct Known {
    hasher: RandomState,
    by_digest: HashMap<u64, Found>,
    others: Vec<Found>,
}

impl Known {
    /// Of objects whose digests are of the same hasher.
    pub(super) fn new(hasher: RandomState, objects: impl Iterator<Item = Found>) -> Self {
        let mut known = Self { hasher, ..Self::default() };
        for found in objects {
            let other = match found.digest {
                Some(digest) => known.by_digest.insert(digest, found),
                None => Some(found),
            };
            known.others.extend(other);
        }
        known
    }

    pub(super) fn digest(&self, text: &str) -> u64 {
        self.hasher.hash_one(text)
    }

    /// Takes out what a text said, and moves it to where it stands now.
    pub(super) fn recall(&mut self, digest: u64, location: &Location) -> Option<Found> {
        let Found { mut object, digest, .. } = self.by_digest.remove(&digest)?;
        let is_as_before = object.location.as_ref() == Some(location);
        if !is_as_before {
            Arc::make_mut(&mut object).location = Some(location.clone());
        }
        Some(Found { object, digest, is_as_before })
    }

    /// What was not found again.
    pub(super) fn rest(self) -> impl Iterator<Item = Found> {
        self.by_digest.into_values().chain(self.others)
    }
}
