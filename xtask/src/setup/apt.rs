//! Debian's package tools. Never removes a package.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result};

use super::machine::Machine;
use crate::progress::step;

/// Installs packages, refreshing the package lists if they do not know them.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    with_lists(packages, || {
        let what = format!("installing {}", packages.join(" "));
        let install = ["install", "-y", "--no-install-recommends", "--no-remove"];
        step(&what, apt_get().args(install).args(packages))
    })
}

/// Downloads the packages' files into a folder.
pub(crate) fn download(packages: &[&str], folder: &Path) -> Result<()> {
    with_lists(packages, || {
        let what = format!("downloading {}", packages.join(" "));
        step(&what, apt_get().arg("download").args(packages).current_dir(folder))
    })
}

/// The packages of ours that a package depends on directly.
pub(crate) fn dependencies(package: &str) -> Result<Vec<String>> {
    let mut command = Command::new("apt-cache");
    let answer = Machine::ask(command.args(["depends", package]).env("LC_ALL", "C"))?;
    let names = answer.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    Ok(names.map(str::to_owned).collect())
}

/// Runs the action; if it fails, or a package is unknown, once more with fresh lists.
fn with_lists(packages: &[&str], action: impl Fn() -> Result<()>) -> Result<()> {
    if packages.iter().all(|package| is_known(package)) && action().is_ok() {
        return Ok(());
    }
    step("refreshing the package lists", apt_get().arg("update"))?;
    action().with_context(|| {
        format!("apt-get knows no way to {}; see the reasons above", packages.join(" "))
    })
}

fn is_known(package: &str) -> bool {
    let mut command = Command::new("apt-cache");
    Machine::ask(command.args(["policy", package]).env("LC_ALL", "C")).is_ok_and(|answer| {
        answer.lines().any(|line| {
            line.trim().strip_prefix("Candidate: ").is_some_and(|version| version != "(none)")
        })
    })
}

fn apt_get() -> Command {
    let mut command = Command::new("/usr/bin/apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").args(["-o", "DPkg::Lock::Timeout=300"]);
    command
}
