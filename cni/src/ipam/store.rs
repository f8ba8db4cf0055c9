//! The table's file: read by anyone at any time, written by the holder of a lock.
//!
//! A write goes to a file beside it that is then renamed, so a reader sees one table or the other,
//! and a full disk leaves the old one. The kernel gives up the lock of a process that is killed.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use hostnet::Cause;
use rustix::fs::{FlockOperation, flock};

use super::table::Table;
use crate::protocol::{Code, Error};

/// How long to wait for others before the runtime is asked to come again.
pub(crate) const LOCK_DEADLINE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(2);

/// Where one network's table is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Store {
    folder: PathBuf,
    network: String,
}

/// The right to write the table, until it is dropped.
#[derive(Debug)]
pub(crate) struct Locked<'a> {
    store: &'a Store,
    _lock: File,
}

/// Why there is no table to go on with. Then the kernel must be asked who has which address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// There is no file.
    Missing,
    /// The file is not what was written.
    Damaged,
    /// The file is of an earlier boot, which no pod survives.
    OtherBoot,
}

/// A file that refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StoreError {
    /// The operating system said no.
    #[error("failed to {action} {path}: {cause}")]
    File {
        /// What was attempted.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        cause: Cause,
    },
    /// Another process has held the lock for too long.
    #[error("{path} is locked by another process since {seconds} s: end it", seconds = LOCK_DEADLINE.as_secs())]
    Busy {
        /// The lock's file.
        path: PathBuf,
    },
}

impl Store {
    /// The store of a network.
    #[must_use]
    pub(crate) fn new(run_dir: &Path, network: &str) -> Self {
        Self { folder: run_dir.join("ipam"), network: network.to_owned() }
    }

    /// Reads the table as it is at this moment.
    ///
    /// # Errors
    /// When the file is there but cannot be read.
    pub(crate) fn read(&self, boot_id: &str) -> Result<Result<Table, Lost>, StoreError> {
        let path = self.path("table");
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Err(Lost::Missing)),
            other => other.or_else(|error| fail("read", &path, error))?,
        };
        let table = std::str::from_utf8(&bytes).ok().and_then(Table::parse);
        Ok(match table {
            None => Err(Lost::Damaged),
            Some(table) if table.boot_id != boot_id => Err(Lost::OtherBoot),
            Some(table) => Ok(table),
        })
    }

    /// Takes the lock.
    ///
    /// # Errors
    /// When its file cannot be made, or another process holds it longer than the deadline.
    pub(crate) fn lock(&self, deadline: Duration) -> Result<Locked<'_>, StoreError> {
        let path = self.path("lock");
        fs::create_dir_all(&self.folder).or_else(|error| fail("make", &self.folder, error))?;
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = file.or_else(|error| fail("open", &path, error))?;
        let end = Instant::now() + deadline;
        loop {
            match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {
                    // A process that was killed while it wrote has left it; DEL may write nothing.
                    let _: io::Result<()> = fs::remove_file(self.path("table.new"));
                    return Ok(Locked { store: self, _lock: lock });
                }
                Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < end => thread::sleep(PAUSE),
                Err(rustix::io::Errno::WOULDBLOCK) => return Err(StoreError::Busy { path }),
                Err(errno) => return fail("lock", &path, errno.into()),
            }
        }
    }

    fn path(&self, kind: &str) -> PathBuf {
        self.folder.join(format!("{}.{kind}", self.network))
    }
}

impl Locked<'_> {
    /// Puts a table in the place of the one before.
    ///
    /// # Errors
    /// When it cannot be written; the one before is whole then.
    pub(crate) fn write(&self, table: &Table) -> Result<(), StoreError> {
        let (path, fresh) = (self.store.path("table"), self.store.path("table.new"));
        let written = fs::write(&fresh, table.to_text()).and_then(|()| fs::rename(&fresh, &path));
        written.or_else(|error| {
            // It is of no use to anyone, and may be what fills the disk.
            let _: io::Result<()> = fs::remove_file(&fresh);
            fail("write", &path, error)
        })
    }
}

impl StoreError {
    /// Whether the disk is full or read-only: nothing that this process could mend.
    #[must_use]
    pub(crate) fn is_out_of_room(&self) -> bool {
        let room = [rustix::io::Errno::NOSPC, rustix::io::Errno::ROFS, rustix::io::Errno::DQUOT];
        let room = room.map(|errno| Cause::Errno(errno.raw_os_error()));
        matches!(self, Self::File { cause, .. } if room.contains(cause))
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let code = match error {
            StoreError::File { .. } => Code::Io,
            StoreError::Busy { .. } => Code::TryAgain,
        };
        Self::new(code, error.to_string())
    }
}

fn fail<T>(action: &'static str, path: &Path, error: io::Error) -> Result<T, StoreError> {
    Err(StoreError::File { action, path: path.to_owned(), cause: error.into() })
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
