//! Which objects of a collection exist, in which version, and which of them cannot be read. Pure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::collection::Collection;
use super::decode::Item;
use super::version::Version;
use crate::k8s::{Change, ObjectRef};
use crate::model::Name;
use crate::problem::Problem;

/// Of how many objects that are gone it is known when they went: what comes late comes soon.
const GONE: usize = 256;

/// The names of a collection.
#[derive(Debug)]
pub(super) struct Ledger {
    collection: Collection,
    known: BTreeMap<Name, Version>,
    /// Those that were deleted last, the last one at the end.
    gone: VecDeque<(Name, Version)>,
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
            known: BTreeMap::new(),
            gone: VecDeque::new(),
            unreadable: BTreeMap::new(),
            nameless: Vec::new(),
            listed: None,
        }
    }

    pub(super) fn begin_list(&mut self) {
        self.listed = Some(BTreeSet::new());
        self.gone.clear();
        self.nameless.clear();
    }

    /// Takes in an object that exists. One that cannot be read stays as it was.
    pub(super) fn take(&mut self, item: Item) -> Option<Change> {
        let (name, version, object) = match item {
            Item::Readable(object, version) => (object.object_ref().name, version, Ok(object)),
            Item::Unreadable { name: Some(name), version, cause } => (name, version, Err(cause)),
            Item::Unreadable { name: None, cause, .. } => {
                self.nameless.push(cause);
                return None;
            }
        };
        if !self.is_news(&name, version) {
            return None;
        }
        if let Some(listed) = &mut self.listed {
            listed.insert(name.clone());
        }
        self.known.insert(name.clone(), version);
        match object {
            Ok(object) => {
                self.unreadable.remove(&name);
                Some(Change::Apply(object.into()))
            }
            Err(cause) => {
                self.unreadable.insert(name, cause);
                None
            }
        }
    }

    /// Takes out an object, unless it has been heard of since.
    pub(super) fn remove(&mut self, name: Name, version: Version) -> Option<Change> {
        if !self.is_news(&name, version) {
            return None;
        }
        let change = self.known.contains_key(&name).then(|| self.forget(&name));
        self.gone.push_back((name, version));
        if self.gone.len() > GONE {
            self.gone.pop_front();
        }
        change
    }

    /// At the end of a list what it did not name is gone, unless it holds something without a name.
    pub(super) fn end_list(&mut self) -> Vec<Change> {
        let listed = self.listed.take().unwrap_or_default();
        if !self.nameless.is_empty() {
            return Vec::new();
        }
        let gone: Vec<_> =
            self.known.keys().filter(|name| !listed.contains(*name)).cloned().collect();
        gone.iter().map(|name| self.forget(name)).collect()
    }

    /// Lists are the truth even where a server was set back; events may come late and twice.
    fn is_news(&self, name: &Name, version: Version) -> bool {
        let went = || self.gone.iter().rev().find(|(gone, _)| gone == name).map(|(_, at)| at);
        let last = self.known.get(name).or_else(went);
        self.listed.is_some() || last.is_none_or(|last| version.may_follow(*last))
    }

    fn forget(&mut self, name: &Name) -> Change {
        self.known.remove(name);
        self.unreadable.remove(name);
        Change::Delete(self.object(name))
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
