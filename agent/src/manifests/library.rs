//! All files of a folder, and what their objects are as a whole. Knows no file system.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};
use std::hash::RandomState;

use super::known::{Found, Known};
use super::parse::{Parsed, parse_again};
use crate::k8s::{Change, Object, ObjectRef};
use crate::problem::Problem;

/// The files of a folder by name.
///
/// While a part of a file cannot be read, the objects of its last good state that the rest does not
/// name stay as they were.
#[derive(Debug, Default)]
pub struct Library {
    files: BTreeMap<String, File>,
    hasher: RandomState,
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
    objects: BTreeMap<ObjectRef, Found>,
    problems: Vec<Problem>,
    is_broken: bool,
}

impl Library {
    /// Takes in a file's text.
    pub fn read(&mut self, path: &str, text: &str) {
        let mut known = self.take_out(path);
        let Parsed { objects, mut problems, is_broken } = parse_again(path, text, &mut known);
        let mut named: BTreeMap<ObjectRef, Found> = BTreeMap::new();
        for found in objects {
            match named.entry(found.object.object_ref()) {
                Entry::Vacant(vacant) => {
                    vacant.insert(found);
                }
                Entry::Occupied(first) => problems.push(twice(first.key(), &found.object, path)),
            }
        }
        self.put(path, File { objects: named, problems, is_broken }, known);
    }

    /// Takes in that a file is there but cannot be read; `cause` says why.
    pub fn unreadable(&mut self, path: &str, cause: &str) {
        let message = format!(
            "cannot be read: {cause}. What it said before stays until it can be read again or is \
             removed"
        );
        let known = self.take_out(path);
        let problems = vec![Problem::error(path, message)];
        self.put(path, File { objects: BTreeMap::new(), problems, is_broken: true }, known);
    }

    /// Takes in that a file is gone.
    pub fn remove(&mut self, path: &str) {
        for found in self.take_out(path).rest() {
            self.unname(found.object.object_ref(), path);
        }
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
            Some(found) => Change::Apply(found.object.clone()),
            None => Change::Delete(object_ref),
        }
    }

    /// What a file said so far.
    fn take_out(&mut self, path: &str) -> Known {
        let File { objects, .. } = self.files.remove(path).unwrap_or_default();
        Known::new(self.hasher.clone(), objects.into_values())
    }

    /// Puts a file in, of which so much is `known` from before that was not found again.
    fn put(&mut self, path: &str, mut file: File, known: Known) {
        for (object_ref, found) in &file.objects {
            let named_by = self.named_by.entry(object_ref.clone()).or_default();
            if named_by.insert(path.to_owned()) || !found.is_as_before {
                self.touched.insert(object_ref.clone());
            }
        }
        for found in known.rest() {
            match file.objects.entry(found.object.object_ref()) {
                Entry::Occupied(_) => {}
                Entry::Vacant(lost) if file.is_broken => drop(lost.insert(found)),
                Entry::Vacant(lost) => self.unname(lost.into_key(), path),
            }
        }
        self.files.insert(path.to_owned(), file);
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
        losers.map(|found| twice(object_ref, &found.object, winner)).collect()
    }
}

fn twice(object_ref: &ObjectRef, object: &Object, winner: &str) -> Problem {
    let message =
        format!("is ignored here, since {winner} has an object of this name; remove one of them");
    Problem::error(object_ref.to_string(), message).at(object.location.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(library: &mut Library) -> Vec<String> {
        let line = |object: &Object| object.location.as_ref().map_or(0, |location| location.line);
        let words = library.changes().into_iter().map(|change| match change {
            Change::Apply(object) => format!("{} at {}", object.object_ref().name, line(&object)),
            Change::Delete(object_ref) => format!("{} gone", object_ref.name),
            Change::SourceProblems(problems) => format!("{} problems", problems.len()),
            Change::Listed { complete } => format!("complete: {complete}"),
        });
        words.collect()
    }

    fn service(name: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\n\
             spec: {{ports: [{{port: 80}}]}}\n"
        )
    }

    /// The port of the first one is given.
    fn list(port: u16) -> String {
        let item = |name: &str, port: u16| {
            format!(
                r#"{{"apiVersion": "v1", "kind": "Service", "metadata": {{"name": "{name}"}},
                "spec": {{"ports": [{{"port": {port}}}]}}}}"#
            )
        };
        let items = [item("web", port), item("shop", 443)].join(",\n");
        format!(r#"{{"apiVersion": "v1", "kind": "List", "items": [{items}]}}"#)
    }

    #[test]
    fn a_file_that_is_read_again_tells_what_differs_from_before() {
        let [web, shop] = ["web", "shop"].map(service);
        let both = format!("{web}---\n{shop}");
        for (name, before, after, expected) in [
            ("same", &both, both.clone(), &[][..]),
            ("moved", &both, format!("#\n{both}"), &["default/shop at 7", "default/web at 2"]),
            (
                "turned",
                &both,
                format!("{shop}---\n{web}"),
                &["default/shop at 1", "default/web at 6"],
            ),
            ("changed", &both, both.replacen("80", "443", 1), &["default/web at 1"]),
            ("shorter", &both, web.clone(), &["default/shop gone"]),
            ("twice", &both, format!("{both}---\n{web}"), &["1 problems"]),
            (
                "broken",
                &both,
                format!("kind: [\n---\n{shop}"),
                &["default/shop at 3", "1 problems"],
            ),
            ("empty", &both, String::new(), &["default/shop gone", "default/web gone"]),
            ("same list", &list(80), list(80), &[]),
            ("changed list", &list(80), list(81), &["default/web at 1"]),
        ] {
            let mut library = Library::default();
            library.read("a.yaml", before);
            assert_eq!(words(&mut library).len(), 3, "{name}");
            library.read("a.yaml", &after);
            assert_eq!(words(&mut library), expected, "{name}");
            library.read("a.yaml", before);
            words(&mut library);
            library.remove("a.yaml");
            assert_eq!(words(&mut library), ["default/shop gone", "default/web gone"], "{name}");
            assert!(library.is_empty(), "{name}");
        }
    }
}
