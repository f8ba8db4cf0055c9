//! The first process of a node: gives it file systems of its own, then lies there and holds it.

use std::{fs, io, io::Write as _, thread, time::Duration};

use anyhow::{Context as _, Result};
use rustix::{
    mount::{MountFlags, mount},
    process::{WaitOptions, wait},
    system::sethostname,
};

/// The hidden verb that runs [`node_init`].
pub const NODE_INIT: &str = "node-init";

/// Runs in fresh mount, process, cgroup and host name namespaces until it is killed.
pub fn node_init(name: &str) -> Result<()> {
    sethostname(name.as_bytes()).context("setting the host name")?;
    // A sysfs shows the network namespace it is mounted from; it also brings the mount points of
    // the BPF and cgroup file systems.
    for (kind, at) in [
        ("sysfs", "/sys"),
        ("bpf", "/sys/fs/bpf"),
        ("cgroup2", "/sys/fs/cgroup"),
        ("tmpfs", "/run"),
    ] {
        mount(kind, at, kind, MountFlags::empty(), None)
            .with_context(|| format!("mounting {kind} on {at}"))?;
    }
    fs::create_dir("/run/netns").context("making /run/netns")?;
    writeln!(io::stdout(), "ready")?;
    loop {
        // Orphans of the node become children of this process.
        if wait(WaitOptions::empty()).is_err() {
            thread::sleep(Duration::from_millis(500));
        }
    }
}
