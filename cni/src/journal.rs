//! The log: a line for each request, with which a person finds out what a runtime did when.
//!
//! ```text
//! 2026-01-31T12:00:00.123Z 9f3a02c1 ADD container=abc ifname=eth0 pod=shop/web-0 took=6ms ok
//! 2026-01-31T12:00:01.456Z 1b77e0d4 DEL container=abc ifname=eth0 pod=shop/web-0 took=9ms failed=5 "…"
//! ```
//! Processes append whole lines at once, so none is torn. One that finds the file full puts it
//! aside under the file's own lock; a file that is full twice over is forgotten. Nothing about the
//! log can make a request fail.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rustix::fs::{FlockOperation, OFlags, flock};

use crate::name::fnv;
use crate::protocol::{Environment, Error, LOG, NetConf, PodName, RUN_DIR};

/// Bytes after which a file is put aside: some ten thousand lines.
const LIMIT: u64 = 1 << 20;
/// Longest line in bytes.
const LINE: usize = 2048;

/// The file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Journal {
    path: PathBuf,
    limit: u64,
    makes_folder: bool,
}

/// What is told of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// When it was answered.
    pub(crate) time: Timestamp,
    /// What tells it from all others.
    pub(crate) id: u32,
    /// The variables it came with.
    pub(crate) environment: &'a Environment,
    /// How long it took.
    pub(crate) took: Duration,
    /// Why it failed.
    pub(crate) failure: Option<&'a Error>,
}

/// A number for a request of this process.
#[must_use]
pub(crate) fn id(time: Timestamp) -> u32 {
    let text = format!("{}/{}", std::process::id(), time.as_nanosecond());
    let [a, b, c, d, ..] = fnv(text.as_bytes()).to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

impl Journal {
    /// The log that a configuration wants. One that cannot be read wants the usual one, where there
    /// is a place for it.
    #[must_use]
    pub(crate) fn of(input: &[u8]) -> Option<Self> {
        let (path, makes_folder) = match NetConf::parse(input) {
            Ok(config) => (config.log_file?, true),
            Err(_) => (Path::new(RUN_DIR).join(LOG), false),
        };
        Some(Self { path, limit: LIMIT, makes_folder })
    }

    /// Appends a line.
    ///
    /// # Errors
    /// When the file refuses; then the line is lost.
    pub(crate) fn write(&self, entry: &Entry<'_>) -> io::Result<()> {
        if let Some(folder) = self.path.parent().filter(|_| self.makes_folder) {
            fs::create_dir_all(folder)?;
        }
        let mut file = self.open()?;
        if file.metadata()?.len() >= self.limit {
            self.put_aside(&file)?;
            file = self.open()?;
        }
        file.write_all(entry.to_line().as_bytes())
    }

    fn open(&self) -> io::Result<File> {
        // A pipe that nobody reads must refuse rather than hang.
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        File::options().append(true).create(true).mode(0o640).custom_flags(flags).open(&self.path)
    }

    /// Another process may be at it, or have done it already: then it is done.
    fn put_aside(&self, full: &File) -> io::Result<()> {
        if flock(full, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(());
        }
        let (full, current) = (full.metadata()?, fs::metadata(&self.path)?);
        if (full.dev(), full.ino()) != (current.dev(), current.ino()) {
            return Ok(());
        }
        fs::rename(&self.path, self.older())
    }

    fn older(&self) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(".1");
        path.into()
    }
}

impl Entry<'_> {
    fn to_line(&self) -> String {
        let mut line = self.to_string();
        if line.len() > LINE {
            let end = (0..=LINE).rev().find(|at| line.is_char_boundary(*at)).unwrap_or_default();
            line.truncate(end);
        }
        line + "\n"
    }
}

impl fmt::Display for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { time, id, environment, took, failure } = self;
        let variable = |name| word(environment.get(name).unwrap_or_default());
        write!(f, "{time:.3} {id:08x} {}", variable("CNI_COMMAND"))?;
        for (name, value) in [
            ("container", variable("CNI_CONTAINERID")),
            ("ifname", variable("CNI_IFNAME")),
            ("pod", pod(environment)),
        ] {
            if !value.is_empty() {
                write!(f, " {name}={value}")?;
            }
        }
        write!(f, " took={}ms", took.as_millis())?;
        match failure {
            None => f.write_str(" ok"),
            Some(error) => write!(f, " failed={} {:?}", error.code.number(), error.to_string()),
        }
    }
}

fn pod(environment: &Environment) -> String {
    let pod = PodName::parse_leniently(environment.get("CNI_ARGS").unwrap_or_default());
    match pod {
        PodName { name, .. } if name.is_empty() => name,
        PodName { namespace, name } => word(&format!("{namespace}/{name}")),
    }
}

/// One word on one line, whatever a text holds.
fn word(text: &str) -> String {
    text.replace(|each: char| each.is_whitespace() || each.is_control(), "?")
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
