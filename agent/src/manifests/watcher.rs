//! Follows a folder by inotify. What to make of its files is [`Library`]'s.
//!
//! A file is read when its writer closes it or when it is moved into place, so that what is
//! half-written is mostly not seen. Names that begin with two dots are how a mounted volume of
//! Kubernetes switches all its files at once: then everything is read again.
//!
//! A file is gone when the folder does not list it. What cannot be read is not gone, and neither is
//! what was in a folder that is no longer where it was: a mount may be missing.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt as _;
use inotify::{EventMask, EventOwned, EventStream, Inotify};
use tokio::time::{Instant, sleep, sleep_until};

use super::Library;
use super::folder::{Folder, is_manifest};
use crate::k8s::Change;
use crate::problem::Problem;

/// How long after a first event further ones are waited for.
const DEBOUNCE: Duration = Duration::from_millis(50);

/// The same in a folder that has taken another one's place: it may be still being filled.
const FILLING: Duration = Duration::from_secs(1);

/// How often is looked for what no event tells.
const LOOK: Duration = Duration::from_secs(1);

/// Room for a few events with the longest name there can be.
const BUFFER: usize = 4096;

/// Follows the manifests of a folder.
#[derive(Debug)]
pub struct Manifests {
    folder: Folder,
    /// Whether the folder is not the one, or not yet for sure, whose files the library has.
    is_another: bool,
    events: EventStream<[u8; BUFFER]>,
    library: Library,
    stale: Stale,
    /// What could not be read.
    failed: Stale,
    /// When what is stale is to be read.
    due: Option<Instant>,
    next_look: Instant,
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
#[derive(Debug, PartialEq, Eq)]
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
        let folder = Folder::open(folder, events.watches())
            .map_err(|source| WatchError::Folder { folder: folder.to_owned(), source })?;
        let now = Instant::now();
        Ok(Self {
            folder,
            is_another: false,
            events,
            library: Library::default(),
            stale: Stale::Everything,
            failed: Stale::default(),
            due: Some(now),
            next_look: now + LOOK,
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

    /// Waits for events, for the time to read what they concern, or for the time to look without.
    async fn wait(&mut self) {
        let due = self.due;
        tokio::select! {
            biased;
            () = sleep_until(due.unwrap_or(self.next_look)), if due.is_some() => {}
            () = sleep_until(self.next_look) => self.look_again(),
            event = self.events.next() => match event {
                Some(Ok(event)) => self.take_event(&event),
                // Without events, looking now and then is what is left.
                Some(Err(_)) | None => {
                    sleep(LOOK).await;
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
        if !self.folder.is_watched_by(wd) {
            return;
        }
        let is_gone =
            EventMask::DELETE_SELF | EventMask::MOVE_SELF | EventMask::UNMOUNT | EventMask::IGNORED;
        if mask.intersects(is_gone) {
            self.look();
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
        mask.contains(EventMask::CREATE) && !self.folder.is_link(name)
    }

    fn mark(&mut self, stale: Stale) {
        self.stale.add(stale);
        let delay = if self.is_another { FILLING } else { DEBOUNCE };
        self.due.get_or_insert_with(|| Instant::now() + delay);
    }

    /// Looks whether the path leads to another folder; then all of that is to be read.
    fn look(&mut self) -> bool {
        let is_another = self.folder.look();
        if is_another {
            self.is_another = true;
            self.due = None;
            self.mark(Stale::Everything);
        }
        is_another
    }

    /// Looks for another folder, and at what could not be read, or not be watched, before.
    fn look_again(&mut self) {
        self.next_look = Instant::now() + LOOK;
        self.look();
        let failed = std::mem::take(&mut self.failed);
        if !self.folder.is_watched() {
            self.mark(Stale::Everything);
        } else if failed != Stale::default() {
            self.mark(failed);
        }
    }

    /// A folder that is gone leaves everything as it was: nobody takes Services out that way.
    fn read_stale(&mut self) {
        let listed = self.folder.names();
        // What was listed counts if it is in the folder that is followed.
        if self.look() {
            return;
        }
        let problem = match listed {
            Ok(names) if names.is_empty() && self.is_another && !self.library.is_empty() => {
                "is empty since it took the place of another one, whose manifests stay: put them \
                 back, or, if there shall be none, an empty file such as none.yaml"
                    .to_owned()
            }
            Ok(names) => return self.read(&names),
            Err(error) => {
                self.failed = Stale::Everything;
                format!(
                    "cannot be read: {error}. What it held before stays until it can be read again"
                )
            }
        };
        let folder = format!("folder {}", self.folder.path());
        self.library.set_folder_problem(Some(Problem::error(folder, problem)));
    }

    /// Reads what is stale of the files of these names, which are all there are.
    fn read(&mut self, names: &BTreeSet<String>) {
        self.library.set_folder_problem(None);
        let paths = names.iter().map(|name| self.folder.path_of(name)).collect();
        self.library.retain(&paths);
        if std::mem::take(&mut self.is_another) {
            self.stale = Stale::Everything;
        }
        let stale = std::mem::take(&mut self.stale);
        for name in names.iter().filter(|name| stale.contains(name)) {
            self.read_file(name);
        }
    }

    fn read_file(&mut self, name: &str) {
        let path = self.folder.path_of(name);
        match self.folder.read(name) {
            Ok(Some(text)) => self.library.read(&path, &text),
            Ok(None) => self.library.remove(&path),
            Err(error) => {
                self.library.unreadable(&path, &error.to_string());
                self.failed.add(Stale::Files(BTreeSet::from([name.to_owned()])));
            }
        }
    }
}

impl Stale {
    fn add(&mut self, more: Self) {
        match (self, more) {
            (Self::Files(names), Self::Files(more)) => names.extend(more),
            (Self::Everything, _) => {}
            (all @ Self::Files(_), Self::Everything) => *all = Self::Everything,
        }
    }

    fn contains(&self, name: &str) -> bool {
        match self {
            Self::Files(names) => names.contains(name),
            Self::Everything => true,
        }
    }
}

impl Default for Stale {
    fn default() -> Self {
        Self::Files(BTreeSet::new())
    }
}
