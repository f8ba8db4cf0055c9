//! `waggle cleanup`: removes what agents left in place, and says what it was.
//!
//! It goes on past failures, so that one thing that cannot be removed does not keep the others.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use dataplane_common::abi::names;
use hostnet::cgroup;
use hostnet::hook::{self, Attachment, Hook};
use hostnet::{Netlink, Pins, link};

use crate::cli::{CleanupArgs, Places};
use crate::loader::hooks;
use crate::lock::{AgentLock, LockError};
use crate::node_file;
use crate::peers;
use crate::status::State;
use crate::tunnel;
use crate::whole_file;

/// What was done.
#[derive(Debug, Default)]
struct Outcome {
    removed: Vec<String>,
    failed: Vec<String>,
}

/// Runs `waggle cleanup`.
///
/// # Errors
/// When an agent is running, unless forced.
pub async fn cleanup(args: &CleanupArgs) -> anyhow::Result<ExitCode> {
    let places = &args.places;
    let lock = unless_held(AgentLock::take_existing(&places.run_dir), args.force)?.flatten();
    let folders = layouts(&places.bpf_root);
    let of_pins = folders.iter().flatten().map(|folder| AgentLock::take_pins(folder));
    let _of_pins = of_pins
        .map(|taken| unless_held(taken, args.force))
        .collect::<anyhow::Result<Vec<Option<AgentLock>>>>()?;
    let netlink = Netlink::here()?;
    let mut outcome = Outcome::default();
    outcome.remove_hooks(&netlink, places).await;
    outcome.remove_host_clients(places);
    outcome.remove_routes(&netlink).await;
    outcome.remove_pins(&places.bpf_root, folders);
    outcome.remove_files(places, lock.is_some());
    outcome.print()
}

impl Outcome {
    async fn remove_hooks(&mut self, netlink: &Netlink, places: &Places) {
        let pins = Pins::new(&places.bpf_root);
        let Some(attachments) = self.note("hooks", hooks::all(netlink, &pins).await) else {
            return;
        };
        for Attachment { index, device, direction, .. } in &attachments {
            let (index, direction) = (*index, *direction);
            let Some(device) = device else {
                self.note("pins", hook::prune(&pins, index, direction));
                continue;
            };
            let hook = Hook { device, index, direction, pins: &pins };
            match hook::detach(hook) {
                Ok(true) => self.removed.push(hook.to_string()),
                Ok(false) => {}
                Err(error) => self.failed.push(error.to_string()),
            }
        }
        let unused = hooks::delete_unused_qdiscs(netlink, &attachments).await;
        let devices = self.note("qdiscs", unused).unwrap_or_default();
        self.removed.extend(devices.iter().map(|device| format!("clsact qdisc of {device}")));
    }

    fn remove_host_clients(&mut self, places: &Places) {
        let pins = Pins::new(&places.bpf_root);
        for name in names::SOCKET_PROGRAMS {
            if let Some(true) = self.note(name, cgroup::detach(&pins, name)) {
                self.removed.push(format!("{name} at the cgroup of this node's processes"));
            }
        }
    }

    /// Routes to other nodes, and the tunnel with all that it knows.
    async fn remove_routes(&mut self, netlink: &Netlink) {
        let routes = self.note("routes", peers::present(netlink, None).await);
        for route in routes.into_iter().flatten() {
            match route.delete(netlink).await {
                Ok(true) => self.removed.push(route.to_string()),
                Ok(false) => {}
                Err(error) => self.failed.push(error.to_string()),
            }
        }
        let links = self.note("links", link::list(netlink).await);
        for tunnel in links.into_iter().flatten().filter(tunnel::is_ours) {
            if let Some(true) = self.note(&tunnel.name, link::delete(netlink, &tunnel.name).await) {
                self.removed.push(format!("tunnel {}", tunnel.name));
            }
        }
    }

    /// Pins of all layouts: links of other layouts end with their pin.
    fn remove_pins(&mut self, root: &Path, folders: io::Result<Vec<PathBuf>>) {
        let Some(folders) = self.note(root.display(), folders) else { return };
        for folder in folders {
            self.remove(&folder, |folder| std::fs::remove_dir_all(folder));
        }
        // The root may be a mount, or hold what is not ours.
        let _may_stay = std::fs::remove_dir(root);
    }

    fn remove_files(&mut self, places: &Places, holds_lock: bool) {
        let run_dir = &places.run_dir;
        for file in [State::path(run_dir), node_file::path(run_dir)] {
            if let Some(true) = self.note(file.display(), whole_file::remove(&file)) {
                self.removed.push(file.display().to_string());
            }
        }
        if holds_lock {
            self.remove(&AgentLock::path(run_dir), |file| std::fs::remove_file(file));
        }
        // The plugin's leases are those of pods, which keep their network.
        let _may_stay = std::fs::remove_dir(run_dir);
    }

    fn remove(&mut self, path: &Path, remove: impl FnOnce(&Path) -> io::Result<()>) {
        match remove(path) {
            Ok(()) => self.removed.push(path.display().to_string()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.failed.push(format!("{}: {error}", path.display())),
        }
    }

    fn note<T, E: Display>(&mut self, object: impl Display, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.failed.push(format!("{object}: {error}"))).ok()
    }

    fn print(&self) -> anyhow::Result<ExitCode> {
        use std::io::Write as _;

        let removed = self.removed.iter().map(|object| format!("removed {object}\n"));
        let failed = self.failed.iter().map(|cause| format!("not removed: {cause}\n"));
        let mut text: String = removed.chain(failed).collect();
        if text.is_empty() {
            text.push_str("nothing to remove\n");
        }
        io::stdout().write_all(text.as_bytes()).context("writing what was done")?;
        Ok(if self.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// The lock, unless an agent holds it: that refuses the clean-up, or is passed over by force.
fn unless_held<T>(taken: Result<T, LockError>, force: bool) -> anyhow::Result<Option<T>> {
    match taken {
        Ok(lock) => Ok(Some(lock)),
        Err(LockError::Held { .. } | LockError::PinsHeld { .. }) if force => Ok(None),
        Err(error @ (LockError::Held { .. } | LockError::PinsHeld { .. })) => {
            Err(error).context("cleanup is refused (--force does it nevertheless)")
        }
        Err(error @ LockError::Io { .. }) => Err(error.into()),
    }
}

/// The folders of pins below `root`.
fn layouts(root: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read?,
    };
    let mut layouts = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("abi-") {
            layouts.push(entry.path());
        }
    }
    Ok(layouts)
}
