//! The lock of a run directory: one agent at a time, and proof that one is alive.
//!
//! The kernel drops the lock with the process, however that ends.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

const NAME: &str = "agent.lock";
/// Who only asks whether an agent is alive holds the lock for a moment.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(30);

/// The held lock.
#[derive(Debug)]
pub struct AgentLock(#[expect(dead_code, reason = "the lock is held as long as it is open")] File);

/// Why the lock is not held.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another agent holds it.
    #[error(
        "run directory {}: another agent (process {pid}) is running on it; stop that one first, or \
         give another --run-dir and --bpf-root", .folder.display()
    )]
    Held {
        /// The run directory.
        folder: PathBuf,
        /// The other agent, as it sees itself.
        pid: String,
    },
    /// Another agent, of another run directory, uses the same pins.
    #[error(
        "pins {}: another agent, of another --run-dir, uses them; stop that one first, or give \
         another --bpf-root", .folder.display()
    )]
    PinsHeld {
        /// The pins' directory.
        folder: PathBuf,
    },
    /// The file system said no.
    #[error("failed to lock {}: {source}; check --run-dir and --bpf-root, and that you are root", .path.display())]
    Io {
        /// The lock file or its folder.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
}

impl AgentLock {
    /// Takes the lock of `run_dir`, which is made where it is missing.
    ///
    /// # Errors
    /// When another agent holds it, or the file cannot be written.
    pub fn take(run_dir: &Path) -> Result<Self, LockError> {
        let path = Self::path(run_dir);
        let io = |source| LockError::Io { path: path.clone(), source };
        std::fs::create_dir_all(run_dir).map_err(io)?;
        let mut file = open(&path, true).map_err(io)?;
        let mut attempt = 1;
        while !try_lock(&file, FlockOperation::NonBlockingLockExclusive).map_err(io)? {
            if attempt == ATTEMPTS {
                return Err(LockError::Held { folder: run_dir.into(), pid: owner(&mut file) });
            }
            attempt += 1;
            std::thread::sleep(PAUSE);
        }
        write_owner(&mut file).map_err(io)?;
        Ok(Self(file))
    }

    /// Takes the lock of the pins below `root`, which is a directory: a BPF file system has no
    /// files.
    ///
    /// # Errors
    /// When another agent holds it, or the directory cannot be opened.
    pub fn take_pins(root: &Path) -> Result<Self, LockError> {
        let io = |source| LockError::Io { path: root.into(), source };
        let directory = File::open(root).map_err(io)?;
        match try_lock(&directory, FlockOperation::NonBlockingLockExclusive).map_err(io)? {
            true => Ok(Self(directory)),
            false => Err(LockError::PinsHeld { folder: root.into() }),
        }
    }

    /// Takes the lock of `run_dir`, if there is a lock file.
    ///
    /// # Errors
    /// When an agent holds it, or the file cannot be written.
    pub fn take_existing(run_dir: &Path) -> Result<Option<Self>, LockError> {
        Self::path(run_dir).exists().then(|| Self::take(run_dir)).transpose()
    }

    /// The lock file of `run_dir`.
    #[must_use]
    pub fn path(run_dir: &Path) -> PathBuf {
        run_dir.join(NAME)
    }

    /// The process that holds the lock of `run_dir`, as it sees itself.
    ///
    /// # Errors
    /// When there is a lock file that cannot be read.
    pub fn holder(run_dir: &Path) -> Result<Option<String>, LockError> {
        let path = Self::path(run_dir);
        let io = |source| LockError::Io { path: path.clone(), source };
        let mut file = match open(&path, false) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(io)?,
        };
        let free = try_lock(&file, FlockOperation::NonBlockingLockShared).map_err(io)?;
        Ok((!free).then(|| owner(&mut file)))
    }
}

fn open(path: &Path, write: bool) -> io::Result<File> {
    OpenOptions::new().read(true).write(write).create(write).truncate(false).open(path)
}

fn try_lock(file: &File, operation: FlockOperation) -> io::Result<bool> {
    match flock(file, operation) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn write_owner(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn owner(file: &mut File) -> String {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        _ => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_agent_holds_the_lock_and_is_named_to_others() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(AgentLock::holder(folder.path()).unwrap(), None);
        let held = AgentLock::take(folder.path()).unwrap();
        let pid = std::process::id().to_string();
        assert_eq!(AgentLock::holder(folder.path()).unwrap(), Some(pid.clone()));
        let message = AgentLock::take(folder.path()).unwrap_err().to_string();
        assert!(message.contains(&format!("process {pid}")), "{message}");
        drop(held);
        assert_eq!(AgentLock::holder(folder.path()).unwrap(), None);
        AgentLock::take(folder.path()).unwrap();
    }

    #[test]
    fn agents_of_several_run_directories_do_not_share_pins() {
        let pins = tempfile::tempdir().unwrap();
        let held = AgentLock::take_pins(pins.path()).unwrap();
        let message = AgentLock::take_pins(pins.path()).unwrap_err().to_string();
        assert!(message.starts_with(&format!("pins {}: ", pins.path().display())), "{message}");
        drop(held);
        AgentLock::take_pins(pins.path()).unwrap();
    }
}
