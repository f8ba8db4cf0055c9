//! A child of the machine's cgroup2 tree: which processes are a node's, and how they are ended.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// A cgroup that holds one node.
#[derive(Clone, Debug)]
pub(super) struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// Makes a child of the tree's root.
    pub(super) fn create(name: &str) -> Result<Self> {
        let path = root()?.join(name);
        fs::create_dir(&path).with_context(|| format!("making the cgroup {}", path.display()))?;
        Ok(Self { path })
    }

    /// The children of the root whose names start with `prefix`.
    pub(super) fn with_prefix(prefix: &str) -> Result<Vec<Self>> {
        let root = root()?;
        let mut found = Vec::new();
        for entry in fs::read_dir(&root).with_context(|| root.display().to_string())? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(prefix) && entry.path().is_dir() {
                found.push(Self { path: entry.path() });
            }
        }
        Ok(found)
    }

    /// The file a process joins by.
    pub(super) fn procs(&self) -> PathBuf {
        self.path.join("cgroup.procs")
    }

    /// Kills all its processes and removes it.
    pub(super) fn remove(&self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            self.kill()?;
            match fs::remove_dir(&self.path) {
                Ok(()) => return Ok(()),
                Err(gone) if gone.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(busy) if Instant::now() > deadline => {
                    return Err(busy)
                        .with_context(|| format!("removing the cgroup {}", self.path.display()));
                }
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    fn kill(&self) -> Result<()> {
        let members = match fs::read_to_string(self.procs()) {
            Ok(members) => members,
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(other) => return Err(other).context(self.procs().display().to_string()),
        };
        for pid in members.lines().filter_map(|line| line.parse().ok()).filter_map(Pid::from_raw) {
            // One that has just ended is what is wanted.
            let _ = kill_process(pid, Signal::KILL);
        }
        Ok(())
    }
}

/// The mount point of the cgroup2 tree.
fn root() -> Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/mounts").context("reading /proc/mounts")?;
    let mut mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let Some(path) = mounts.find_map(|fields| match fields[..] {
        [_, path, "cgroup2", ..] => Some(Path::new(path).to_owned()),
        _ => None,
    }) else {
        bail!("no cgroup2 in /proc/mounts: mount it, as by `mount -t cgroup2 none /sys/fs/cgroup`");
    };
    Ok(path)
}
