//! Follows a folder by inotify. What to make of its files is [`Library`]'s.
//!
//! A file is read when its writer closes it or when it is moved into place, so that what is
//! half-written is mostly not seen. Names that begin with two dots are how a mounted volume of
//! Kubernetes switches all its files at once: then everything is read again.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt as _;
use inotify::{EventMask, EventOwned, EventStream, Inotify, WatchDescriptor, WatchMask, Watches};
use tokio::time::{Instant, sleep, sleep_until};

use super::Library;
use crate::k8s::Change;
use crate::problem::Problem;

/// How long after a first event further ones are waited for.
const DEBOUNCE: Duration = Duration::from_millis(50);

/// How often a folder that is gone is looked for.
const RETURN: Duration = Duration::from_millis(500);

/// Room for a few events with the longest name there can be.
const BUFFER: usize = 4096;

const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// Follows the manifests of a folder.
#[derive(Debug)]
pub struct Manifests {
    folder: PathBuf,
    events: EventStream<[u8; BUFFER]>,
    watch: Option<WatchDescriptor>,
    library: Library,
    stale: Stale,
    /// When what is stale is to be read.
    due: Option<Instant>,
}

/// Why a folder cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The folder cannot be watched.
    #[error("failed to watch the folder of manifests {}: {source}; check --manifests", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// The system gives no watcher.
    #[error("failed to start watching files: {source}; raise fs.inotify.max_user_instances")]
    Inotify {
        /// What the system answered.
        source: io::Error,
    },
}

/// What is to be read again.
#[derive(Debug)]
enum Stale {
    Files(BTreeSet<String>),
    Everything,
}

impl Manifests {
    /// Begins to watch a folder. To be called within a tokio runtime.
    ///
    /// # Errors
    /// When the folder is not there or cannot be watched.
    pub fn open(folder: &Path) -> Result<Self, WatchError> {
        let events = Inotify::init()
            .and_then(|inotify| inotify.into_event_stream([0; BUFFER]))
            .map_err(|source| WatchError::Inotify { source })?;
        let watch = watch(&events.watches(), folder)
            .map_err(|source| WatchError::Folder { folder: folder.to_owned(), source })?;
        Ok(Self {
            folder: folder.to_owned(),
            events,
            watch: Some(watch),
            library: Library::default(),
            stale: Stale::Everything,
            due: Some(Instant::now()),
        })
    }

    /// Waits for changes; the first are all there is. May be dropped and called again.
    pub async fn next(&mut self) -> Vec<Change> {
        loop {
            self.wait().await;
            if self.due.is_none_or(|due| due > Instant::now()) {
                continue;
            }
            self.due = None;
            self.read_stale();
            let changes = self.library.changes();
            if !changes.is_empty() {
                return changes;
            }
        }
    }

    /// Waits for events, for the time to read what they concern, or for the folder's return.
    async fn wait(&mut self) {
        let due = self.due;
        tokio::select! {
            biased;
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            () = sleep(RETURN), if due.is_none() && self.watch.is_none() => self.look_for_folder(),
            event = self.events.next() => match event {
                Some(Ok(event)) => self.take_event(&event),
                // Without events, looking now and then is what is left.
                Some(Err(_)) | None => {
                    sleep(RETURN).await;
                    self.mark(Stale::Everything);
                }
            },
        }
    }

    fn take_event(&mut self, event: &EventOwned) {
        let EventOwned { wd, mask, name, .. } = event;
        if mask.contains(EventMask::Q_OVERFLOW) {
            return self.mark(Stale::Everything);
        }
        if self.watch.as_ref() != Some(wd) {
            return;
        }
        let is_gone =
            EventMask::DELETE_SELF | EventMask::MOVE_SELF | EventMask::UNMOUNT | EventMask::IGNORED;
        if mask.intersects(is_gone) {
            return self.lose_folder();
        }
        match name.as_deref().and_then(OsStr::to_str) {
            Some(name) if name.starts_with("..") => self.mark(Stale::Everything),
            Some(name) if is_manifest(name) && !self.is_being_written(name, *mask) => {
                self.mark(Stale::Files(BTreeSet::from([name.to_owned()])));
            }
            Some(_) | None => {}
        }
    }

    /// A file that has just been made will be closed by its writer; a link is complete at once.
    fn is_being_written(&self, name: &str, mask: EventMask) -> bool {
        mask.contains(EventMask::CREATE) && !self.folder.join(name).is_symlink()
    }

    fn mark(&mut self, stale: Stale) {
        match (&mut self.stale, stale) {
            (Stale::Files(names), Stale::Files(more)) => names.extend(more),
            (Stale::Everything, _) => {}
            (all @ Stale::Files(_), Stale::Everything) => *all = Stale::Everything,
        }
        self.due.get_or_insert_with(|| Instant::now() + DEBOUNCE);
    }

    fn lose_folder(&mut self) {
        if let Some(watch) = self.watch.take() {
            // A folder that was moved is still watched where it went.
            let _gone_already = self.events.watches().remove(watch);
        }
        self.look_for_folder();
    }

    fn look_for_folder(&mut self) {
        self.watch = watch(&self.events.watches(), &self.folder).ok();
        self.mark(Stale::Everything);
    }

    fn read_stale(&mut self) {
        match std::mem::replace(&mut self.stale, Stale::Files(BTreeSet::new())) {
            Stale::Files(names) => names.iter().for_each(|name| self.read_file(name)),
            Stale::Everything => self.read_folder(),
        }
    }

    /// A folder that is gone leaves everything as it was: nobody takes Services out that way.
    fn read_folder(&mut self) {
        let names = match names(&self.folder) {
            Ok(names) => names,
            Err(error) => {
                let message = format!(
                    "cannot be read: {error}. What it held before stays until it can be read again"
                );
                let folder = format!("folder {}", self.folder.display());
                return self.library.set_folder_problem(Some(Problem::error(folder, message)));
            }
        };
        self.library.set_folder_problem(None);
        let gone: Vec<_> = self.library.paths().into_iter().collect();
        for path in gone {
            if !names.iter().any(|name| self.path(name) == path) {
                self.library.remove(&path);
            }
        }
        for name in &names {
            self.read_file(name);
        }
    }

    fn read_file(&mut self, name: &str) {
        let path = self.path(name);
        match read(&self.folder.join(name)) {
            Ok(Some(text)) => self.library.read(&path, &text),
            Ok(None) => self.library.remove(&path),
            // With the folder gone, that a file is not there says nothing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if self.folder.is_dir() {
                    self.library.remove(&path);
                }
            }
            Err(error) => self.library.unreadable(&path, &error.to_string()),
        }
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

fn watch(watches: &Watches, folder: &Path) -> io::Result<WatchDescriptor> {
    let mask = WatchMask::CLOSE_WRITE
        | WatchMask::CREATE
        | WatchMask::DELETE
        | WatchMask::MOVE
        | WatchMask::ATTRIB
        | WatchMask::DELETE_SELF
        | WatchMask::MOVE_SELF
        | WatchMask::ONLYDIR;
    watches.clone().add(folder, mask)
}

fn names(folder: &Path) -> io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if is_manifest(&name) && entry.path().is_file() {
            names.insert(name);
        }
    }
    Ok(names)
}

/// The text of a file; none of what is no file, as a pipe, which would be waited for.
fn read(path: &Path) -> io::Result<Option<String>> {
    let is_file = std::fs::metadata(path)?.is_file();
    is_file.then(|| std::fs::read_to_string(path)).transpose()
}

fn is_manifest(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(OsStr::to_str);
    !name.starts_with('.') && extension.is_some_and(|extension| EXTENSIONS.contains(&extension))
}
