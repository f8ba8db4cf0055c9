//! The folder itself: which one its path leads to, and what is in it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use inotify::{WatchDescriptor, WatchMask, Watches};

const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// A path and the folder that it led to when it was looked for last.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    watches: Watches,
    watch: Option<WatchDescriptor>,
}

impl Folder {
    /// Begins to watch the folder.
    pub(super) fn open(path: &Path, mut watches: Watches) -> io::Result<Self> {
        let watch = Some(watch(&mut watches, path)?);
        Ok(Self { path: path.to_owned(), watches, watch })
    }

    /// Watches what the path leads to now; whether that is another folder, or none any more. No
    /// event tells of a mount that covers a folder, or of a link that is switched.
    pub(super) fn look(&mut self) -> bool {
        // A folder that is watched already keeps its descriptor, and no other one gets that.
        let found = watch(&mut self.watches, &self.path).ok();
        if found == self.watch {
            return false;
        }
        if let Some(left) = std::mem::replace(&mut self.watch, found) {
            // A folder that was moved or covered is still watched where it is.
            let _gone_already = self.watches.remove(left);
        }
        true
    }

    pub(super) fn is_watched(&self) -> bool {
        self.watch.is_some()
    }

    pub(super) fn is_watched_by(&self, watch: &WatchDescriptor) -> bool {
        self.watch.as_ref() == Some(watch)
    }

    /// The names of its manifests. What cannot be told to be something else counts.
    pub(super) fn names(&self) -> io::Result<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        for entry in std::fs::read_dir(&self.path)? {
            let entry = entry?;
            let may_be_file =
                entry.file_type().map_or(true, |kind| kind.is_file() || kind.is_symlink());
            let name = entry.file_name().into_string();
            names.extend(name.ok().filter(|name| may_be_file && is_manifest(name)));
        }
        Ok(names)
    }

    /// The text of a file; none of a link to what is no file, as a pipe, which would be waited for.
    pub(super) fn read(&self, name: &str) -> io::Result<Option<String>> {
        let path = self.path.join(name);
        let is_file = std::fs::metadata(&path)?.is_file();
        is_file.then(|| std::fs::read_to_string(path)).transpose()
    }

    pub(super) fn is_link(&self, name: &str) -> bool {
        self.path.join(name).is_symlink()
    }

    /// What problems and places call it.
    pub(super) fn path(&self) -> String {
        self.path.display().to_string()
    }

    /// What problems and places call a file of it.
    pub(super) fn path_of(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }
}

fn watch(watches: &mut Watches, folder: &Path) -> io::Result<WatchDescriptor> {
    let mask = WatchMask::CLOSE_WRITE
        | WatchMask::CREATE
        | WatchMask::DELETE
        | WatchMask::MOVE
        | WatchMask::ATTRIB
        | WatchMask::DELETE_SELF
        | WatchMask::MOVE_SELF
        | WatchMask::ONLYDIR;
    watches.add(folder, mask)
}

/// Whether a file of this name counts.
pub(super) fn is_manifest(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(OsStr::to_str);
    !name.starts_with('.') && extension.is_some_and(|extension| EXTENSIONS.contains(&extension))
}
