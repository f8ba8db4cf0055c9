//! What setup may know about a machine: files below a root, programs that answer, who we are.
//!
//! Tests make one from a folder of fake files and compilers.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use thiserror::Error;

/// Debian packages that rustc-web would replace.
const CONFLICTS: &[&str] = &["rustc", "rustup", "libstd-rust-dev", "rustc-mozilla"];

/// A machine as setup sees it.
#[derive(Debug)]
pub(crate) struct Machine {
    /// `/`, or a folder that stands for it.
    pub(crate) root: PathBuf,
    /// Where rustup keeps its toolchains.
    pub(crate) rustup_home: PathBuf,
    /// Our folder of tools.
    pub(crate) cache: PathBuf,
    /// The user's own LLVM.
    pub(crate) llvm_prefix: Option<PathBuf>,
    /// Whether packages can be installed by us.
    pub(crate) is_superuser: bool,
}

/// Why nothing can be installed here.
#[derive(Debug, Error)]
pub(crate) enum Immutable {
    #[error("packages are installed for you on Debian and Ubuntu only")]
    NotDebian,
    #[error("packages are installed for you when run as root")]
    NotRoot,
}

impl Machine {
    /// The machine we run on.
    pub(crate) fn this() -> Result<Self> {
        let home = env::home_dir().context("finding the home folder; set HOME")?;
        let folder = |name: &str| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let cache = folder("WAGGLE_CACHE")
            .or_else(|| folder("XDG_CACHE_HOME").map(|cache| cache.join("waggle")))
            .unwrap_or_else(|| home.join(".cache/waggle"));
        Ok(Self {
            root: PathBuf::from("/"),
            rustup_home: folder("RUSTUP_HOME").unwrap_or_else(|| home.join(".rustup")),
            cache: std::path::absolute(cache).context("finding the cache folder")?,
            llvm_prefix: folder("LLVM_PREFIX"),
            is_superuser: rustix::process::geteuid().is_root(),
        })
    }

    /// A path below the root.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    /// The entries of a folder in order; none if it is not there.
    pub(crate) fn entries(folder: &Path) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        paths
    }

    /// What a program writes to stdout.
    pub(crate) fn ask(command: &mut Command) -> Result<String> {
        let program = command.get_program().to_owned();
        let output = command.output().with_context(|| format!("starting {}", program.display()))?;
        anyhow::ensure!(
            output.status.success(),
            "{} ended with {}: {}",
            program.display(),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Whether packages can be installed, by Debian's tools and by us.
    pub(crate) fn may_install(&self) -> Result<(), Immutable> {
        if !self.path("usr/bin/apt-get").exists() {
            return Err(Immutable::NotDebian);
        }
        if self.is_superuser { Ok(()) } else { Err(Immutable::NotRoot) }
    }

    /// The installed packages that must not be replaced by rustc-web.
    pub(crate) fn conflicts(&self) -> Vec<&'static str> {
        let status = fs::read_to_string(self.path("var/lib/dpkg/status")).unwrap_or_default();
        CONFLICTS.iter().copied().filter(|name| is_installed(&status, name)).collect()
    }
}

fn is_installed(status: &str, package: &str) -> bool {
    status.split("\n\n").any(|paragraph| {
        let has = |key: &str, value: &dyn Fn(&str) -> bool| {
            paragraph.lines().any(|line| line.strip_prefix(key).is_some_and(value))
        };
        has("Package: ", &|name| name == package)
            && has("Status: ", &|state| state.ends_with(" installed"))
    })
}
