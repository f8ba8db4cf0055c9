//! Dependencies: licences, sources, duplicates, and advisories where they can be fetched.

use std::{
    fs,
    net::{TcpStream, ToSocketAddrs as _},
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc::channel,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::Outcome;
use crate::{pins, progress::step, setup, workspace};

/// Where the advisories are fetched from.
const GIT_HOST: &str = "github.com:443";
const PATIENCE: Duration = Duration::from_secs(3);

/// The lock files.
const MANIFESTS: &[&str] = &["Cargo.toml", "dataplane-ebpf/Cargo.toml"];

/// The tool, built once into the cache.
pub(crate) fn ensure() -> Result<PathBuf> {
    let cache = setup::cache()?;
    let home = cache.join(format!("cargo-deny-{}", pins::CARGO_DENY));
    let tool = home.join("bin/cargo-deny");
    if tool.is_file() {
        return Ok(tool);
    }
    let _lock = setup::lock(&cache, "cargo-deny")?;
    if !tool.is_file() {
        build(&home, &cache.join("tmp-cargo-deny"))?;
    }
    Ok(tool)
}

/// Unoptimised: it runs for a second and would compile for minutes longer.
fn build(home: &Path, work: &Path) -> Result<()> {
    drop(fs::remove_dir_all(work));
    let mut command = workspace::cargo();
    command.args(["install", "cargo-deny", "--locked", "--no-track", "--debug"]);
    command.args(["--version", pins::CARGO_DENY]).arg("--root").arg(work);
    command.arg("--target-dir").arg(work.join("target")).env_remove("RUSTFLAGS").current_dir("/");
    command.env("CARGO_PROFILE_DEV_DEBUG", "false");
    step(&format!("building cargo-deny {}", pins::CARGO_DENY), &mut command)?;
    drop(fs::remove_dir_all(work.join("target")));
    fs::rename(work, home).with_context(|| format!("moving to {}", home.display()))
}

/// Bans, licences and sources need nothing but the lock files.
pub(crate) fn check(tool: &Path) -> Result<Outcome> {
    run(tool, &["bans", "licenses", "sources"])
}

/// Advisories need a git host.
pub(crate) fn advisories(tool: &Path) -> Result<Outcome> {
    if !is_reachable() {
        return Ok(Outcome::NotRun(format!("{GIT_HOST} does not answer")));
    }
    run(tool, &["advisories"])
}

fn run(tool: &Path, checks: &[&str]) -> Result<Outcome> {
    let root = workspace::root();
    for manifest in MANIFESTS {
        let mut command = Command::new(tool);
        command.args(["--locked", "--workspace", "--manifest-path"]).arg(root.join(manifest));
        command.arg("--config").arg(root.join("deny.toml"));
        command.args(["check", "--hide-inclusion-graph"]).args(checks).current_dir(&root);
        step(&format!("checking {} of {manifest}", checks.join(" ")), &mut command)?;
    }
    Ok(Outcome::Clean)
}

/// In a thread of its own, since a name look-up cannot be told to hurry.
fn is_reachable() -> bool {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let addresses = GIT_HOST.to_socket_addrs().into_iter().flatten();
        let answers = addresses.take(2).any(|a| TcpStream::connect_timeout(&a, PATIENCE).is_ok());
        sender.send(answers)
    });
    receiver.recv_timeout(PATIENCE).unwrap_or(false)
}
