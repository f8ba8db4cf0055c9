//! All files of a folder, and what their objects are as a whole. Knows no file system.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};
use std::sync::Arc;

use super::{Parsed, parse_file};
use crate::k8s::{Change, Object, ObjectRef};
use crate::problem::Problem;

/// The files of a folder by name.
///
/// While a part of a file cannot be read, the objects of its last good state that the rest does not
/// name stay as they were.
#[derive(Debug, Default)]
pub struct Library {
    files: BTreeMap<String, File>,
    /// The files that name an object; the first has it.
    named_by: BTreeMap<ObjectRef, BTreeSet<String>>,
    touched: BTreeSet<ObjectRef>,
    contested: BTreeSet<ObjectRef>,
    told: Vec<Problem>,
    folder_problem: Option<Problem>,
    listed: Option<bool>,
}

#[derive(Debug, Default)]
struct File {
    objects: BTreeMap<ObjectRef, Arc<Object>>,
    problems: Vec<Problem>,
    is_broken: bool,
}

impl Library {
    /// Takes in a file's text.
    pub fn read(&mut self, path: &str, text: &str) {
        let Parsed { objects, mut problems, is_broken } = parse_file(path, text);
        let mut named: BTreeMap<ObjectRef, Arc<Object>> = BTreeMap::new();
        for object in objects {
            match named.entry(object.object_ref()) {
                Entry::Vacant(vacant) => {
                    vacant.insert(object);
                }
                Entry::Occupied(first) => problems.push(twice(first.key(), &object, path)),
            }
        }
        self.replace(path, File { objects: named, problems, is_broken });
    }

    /// Takes in that a file is there but cannot be read; `cause` says why.
    pub fn unreadable(&mut self, path: &str, cause: &str) {
        let message = format!(
            "cannot be read: {cause}. What it said before stays until it can be read again or is \
             removed"
        );
        let problems = vec![Problem::error(path, message)];
        self.replace(path, File { objects: BTreeMap::new(), problems, is_broken: true });
    }

    /// Takes in that a file is gone.
    pub fn remove(&mut self, path: &str) {
        self.replace(path, File::default());
        self.files.remove(path);
    }

    /// Takes in that all files but these are gone.
    pub fn retain(&mut self, paths: &BTreeSet<String>) {
        let gone: Vec<_> =
            self.files.keys().filter(|path| !paths.contains(*path)).cloned().collect();
        for path in gone {
            self.remove(&path);
        }
    }

    /// Whether it has no object.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.named_by.is_empty()
    }

    /// What is wrong with the folder itself, if anything is.
    pub fn set_folder_problem(&mut self, problem: Option<Problem>) {
        self.folder_problem = problem;
    }

    /// What has changed since the last call. The first ends with [`Change::Listed`]; if a part was
    /// unreadable then, the first without such a part ends with another one.
    pub fn changes(&mut self) -> Vec<Change> {
        let touched = std::mem::take(&mut self.touched);
        let mut changes: Vec<_> =
            touched.into_iter().map(|object_ref| self.change_of(object_ref)).collect();
        let problems = self.problems();
        if problems != self.told {
            self.told.clone_from(&problems);
            changes.push(Change::SourceProblems(problems));
        }
        let complete =
            self.folder_problem.is_none() && self.files.values().all(|file| !file.is_broken);
        if self.listed.is_none() || (complete && self.listed == Some(false)) {
            self.listed = Some(complete);
            changes.push(Change::Listed { complete });
        }
        changes
    }

    fn change_of(&mut self, object_ref: ObjectRef) -> Change {
        let named_by = self.named_by.get(&object_ref);
        if named_by.is_some_and(|paths| paths.len() > 1) {
            self.contested.insert(object_ref.clone());
        } else {
            self.contested.remove(&object_ref);
        }
        let winner = named_by.and_then(|paths| self.files.get(paths.first()?));
        match winner.and_then(|file| file.objects.get(&object_ref)) {
            Some(object) => Change::Apply(object.clone()),
            None => Change::Delete(object_ref),
        }
    }

    fn replace(&mut self, path: &str, mut new: File) {
        let old = self.files.remove(path).unwrap_or_default();
        for (object_ref, object) in old.objects {
            match new.objects.get(&object_ref) {
                Some(same) if *same == object => {}
                Some(_) => {
                    self.touched.insert(object_ref);
                }
                None if new.is_broken => {
                    new.objects.insert(object_ref, object);
                }
                None => self.unname(object_ref, path),
            }
        }
        for object_ref in new.objects.keys() {
            let named_by = self.named_by.entry(object_ref.clone()).or_default();
            if named_by.insert(path.to_owned()) {
                self.touched.insert(object_ref.clone());
            }
        }
        self.files.insert(path.to_owned(), new);
    }

    fn unname(&mut self, object_ref: ObjectRef, path: &str) {
        if let Some(named_by) = self.named_by.get_mut(&object_ref) {
            named_by.remove(path);
            if named_by.is_empty() {
                self.named_by.remove(&object_ref);
            }
        }
        self.touched.insert(object_ref);
    }

    fn problems(&self) -> Vec<Problem> {
        let of_files = self.files.values().flat_map(|file| &file.problems);
        let contests = self.contested.iter().flat_map(|object_ref| self.contest(object_ref));
        self.folder_problem.iter().chain(of_files).cloned().chain(contests).collect()
    }

    /// One problem for each file that names an object of another one.
    fn contest(&self, object_ref: &ObjectRef) -> Vec<Problem> {
        let mut paths = self.named_by.get(object_ref).into_iter().flatten();
        let Some(winner) = paths.next() else {
            return Vec::new();
        };
        let losers = paths.filter_map(|path| self.files.get(path)?.objects.get(object_ref));
        losers.map(|object| twice(object_ref, object, winner)).collect()
    }
}

fn twice(object_ref: &ObjectRef, object: &Object, winner: &str) -> Problem {
    let message =
        format!("is ignored here, since {winner} has an object of this name; remove one of them");
    Problem::error(object_ref.to_string(), message).at(object.location.clone())
}
