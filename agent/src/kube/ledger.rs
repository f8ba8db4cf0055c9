//! Which objects of a collection exist, and which of them cannot be read. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::collection::Collection;
use super::decode::Item;
use crate::k8s::{Change, ObjectRef};
use crate::model::Name;
use crate::problem::Problem;

/// The names of a collection.
#[derive(Debug)]
pub(super) struct Ledger {
    collection: Collection,
    known: BTreeSet<Name>,
    /// Why the objects that cannot be read cannot.
    unreadable: BTreeMap<Name, String>,
    /// Why those without a name cannot be read.
    nameless: Vec<String>,
    /// What a list that is under way has named so far.
    listed: Option<BTreeSet<Name>>,
}

impl Ledger {
    pub(super) fn new(collection: Collection) -> Self {
        Self {
            collection,
            known: BTreeSet::new(),
            unreadable: BTreeMap::new(),
            nameless: Vec::new(),
            listed: None,
        }
    }

    pub(super) fn begin_list(&mut self) {
        self.listed = Some(BTreeSet::new());
        self.nameless.clear();
    }

    /// Takes in an object that exists. One that cannot be read stays as it was.
    pub(super) fn take(&mut self, item: Item) -> Option<Change> {
        let (name, change) = match item {
            Item::Readable(object) => {
                let name = object.object_ref().name;
                self.unreadable.remove(&name);
                (name, Some(Change::Apply(object.into())))
            }
            Item::Unreadable { name: Some(name), cause } => {
                self.unreadable.insert(name.clone(), cause);
                (name, None)
            }
            Item::Unreadable { name: None, cause } => {
                self.nameless.push(cause);
                return None;
            }
        };
        if let Some(listed) = &mut self.listed {
            listed.insert(name.clone());
        }
        self.known.insert(name);
        change
    }

    pub(super) fn remove(&mut self, name: &Name) -> Change {
        self.known.remove(name);
        self.unreadable.remove(name);
        Change::Delete(self.object(name))
    }

    /// At the end of a list what it did not name is gone, unless it holds something without a name.
    pub(super) fn end_list(&mut self) -> Vec<Change> {
        let listed = self.listed.take().unwrap_or_default();
        if !self.nameless.is_empty() {
            return Vec::new();
        }
        let gone: Vec<_> = self.known.difference(&listed).cloned().collect();
        gone.iter().map(|name| self.remove(name)).collect()
    }

    pub(super) fn is_readable(&self) -> bool {
        self.unreadable.is_empty() && self.nameless.is_empty()
    }

    pub(super) fn problems(&self) -> impl Iterator<Item = Problem> {
        let named = self.unreadable.iter().map(|(name, cause)| {
            let message = format!(
                "cannot be read: {cause}. What the API said of it before stays until it is mended"
            );
            Problem::error(self.object(name).to_string(), message)
        });
        let nameless = self.nameless.iter().map(|cause| {
            let message =
                format!("cannot be read: {cause}. Nothing of its kind is taken out meanwhile");
            Problem::error(format!("a {} without a name", self.collection.kind().as_str()), message)
        });
        named.chain(nameless)
    }

    fn object(&self, name: &Name) -> ObjectRef {
        ObjectRef { kind: self.collection.kind(), name: name.clone() }
    }
}
