//! The cgroup of a host: a child of the machine's hierarchy, where the agent takes it for the root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// Begins the names of such cgroups; the number of the process that made them follows.
const PREFIX: &str = "waggle-agent-test-";

/// A cgroup, removed when dropped.
pub(super) struct Cgroup {
    mount: PathBuf,
    path: PathBuf,
}

impl Cgroup {
    pub(super) fn create() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mount = mount()?;
        sweep(&mount)?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = mount.join(format!("{PREFIX}{}-{number}", process::id()));
        fs::create_dir(&path).with_context(|| format!("making the cgroup {}", path.display()))?;
        Ok(Self { mount, path })
    }

    /// Where the machine has its hierarchy, and the host has this cgroup instead.
    pub(super) fn mount(&self) -> &Path {
        &self.mount
    }

    /// Makes a cgroup below it.
    pub(super) fn make(&self, name: &str) -> Result<()> {
        let path = self.path.join(name);
        fs::create_dir(&path).with_context(|| format!("making the cgroup {}", path.display()))
    }

    /// The file that processes join by.
    pub(super) fn procs(&self) -> PathBuf {
        self.path.join("cgroup.procs")
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let started = Instant::now();
        while remove(&self.path).is_err() && started.elapsed() < Duration::from_secs(5) {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Removes a cgroup with those that were made below it.
fn remove(path: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    fs::remove_dir(path)
}

/// Removes what test processes left that were killed.
fn sweep(mount: &Path) -> Result<()> {
    for entry in fs::read_dir(mount).with_context(|| mount.display().to_string())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let maker = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if maker.is_some_and(|maker| !Path::new("/proc").join(maker).exists()) {
            let _still_in_use = remove(&entry.path());
        }
    }
    Ok(())
}

fn mount() -> Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/mounts").context("reading /proc/mounts")?;
    let found = mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let target = fields.next()?;
        (fields.next()? == "cgroup2").then(|| PathBuf::from(target))
    });
    found.context("no cgroup2 in /proc/mounts: mount it, as by `mount -t cgroup2 none DIR`")
}
