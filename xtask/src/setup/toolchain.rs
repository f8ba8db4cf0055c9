//! A compiler of the kernel programs: the pinned rustup nightly, or Debian's rustc-web.

use std::{
    env, fmt, fs, iter,
    path::{Path, PathBuf},
};

use super::{
    machine::Machine,
    refusal::{Refusal, Refusals},
    version::Version,
};
use crate::pins;

/// How a compiler gets its core library for the BPF target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A nightly: compiles core from rust-src.
    Nightly,
    /// Debian's rustc-web: brings a compiled core.
    RustcWeb,
}

/// A compiler that can build the kernel programs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Toolchain {
    /// Where its core library is from.
    pub(crate) kind: Kind,
    /// Its rustc.
    pub(crate) rustc: PathBuf,
    /// The folder of its shared libraries, where the loader does not find them itself.
    pub(crate) libraries: Option<PathBuf>,
}

/// The first compiler that can be taken: the nightly, rustc-web in our cache, rustc-web.
pub(crate) fn find(machine: &Machine) -> Result<Toolchain, Refusals> {
    let webs = unpacked(machine).chain([(machine.root.clone(), None)]);
    let looks = iter::once_with(|| nightly(machine))
        .chain(webs.map(|(root, libraries)| rustc_web(&root, libraries)));
    let mut reasons = Vec::new();
    for look in looks {
        match look {
            Ok(toolchain) => return Ok(toolchain),
            Err(reason) => reasons.push(reason),
        }
    }
    Err(Refusals::new(reasons))
}

fn nightly(machine: &Machine) -> Result<Toolchain, Refusal> {
    let folder = machine.rustup_home.join("toolchains");
    let sysroot = Machine::entries(&folder)
        .into_iter()
        .find(|toolchain| is_pinned_nightly(toolchain))
        .ok_or(Refusal::NoNightly { folder })?;
    if !sysroot.join("lib/rustlib/src/rust/library/core").is_dir() {
        let name = sysroot.file_name().unwrap_or_default().to_string_lossy().into_owned();
        return Err(Refusal::NoRustSrc { name });
    }
    let rustc = sysroot.join("bin/rustc");
    Version::of(&rustc, None)?.check_llvm(&rustc)?;
    Ok(Toolchain { kind: Kind::Nightly, rustc, libraries: None })
}

/// By the date in its manifest, since plain `nightly` may be of that date too.
fn is_pinned_nightly(toolchain: &Path) -> bool {
    let is_nightly =
        toolchain.file_name().is_some_and(|name| name.to_string_lossy().starts_with("nightly"));
    let manifest = toolchain.join("lib/rustlib/multirust-channel-manifest.toml");
    is_nightly
        && fs::read_to_string(manifest).is_ok_and(|text| {
            text.lines().take(5).any(|line| line == format!("date = \"{}\"", pins::NIGHTLY))
        })
}

/// The copies of rustc-web in our cache, newest first.
fn unpacked(machine: &Machine) -> impl Iterator<Item = (PathBuf, Option<PathBuf>)> {
    let copies = Machine::entries(&machine.cache).into_iter().rev().filter(|entry| {
        entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with("rustc-web-"))
    });
    copies.map(|root| {
        let libraries = root.join(format!("usr/lib/{}-linux-gnu", env::consts::ARCH));
        (root, Some(libraries))
    })
}

fn rustc_web(root: &Path, libraries: Option<PathBuf>) -> Result<Toolchain, Refusal> {
    let rustc = root.join("usr/bin/rustc");
    if !rustc.exists() {
        return Err(Refusal::NoRustcWeb { rustc });
    }
    let folder = root.join("usr/lib/rustlib/bpfel-unknown-none/lib");
    let version = Version::of(&rustc, libraries.as_deref())?;
    if version.release < pins::RUSTC_WEB {
        return Err(Refusal::TooOld { rustc, found: version.release });
    }
    version.check_llvm(&rustc)?;
    if Machine::entries(&folder).is_empty() {
        return Err(Refusal::NoBpfCore { folder });
    }
    Ok(Toolchain { kind: Kind::RustcWeb, rustc, libraries })
}

// === impl Toolchain ===

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Nightly => "rustup nightly",
            Kind::RustcWeb => "Debian's rustc-web",
        };
        write!(f, "{} ({kind}, LLVM {})", self.rustc.display(), pins::LLVM)
    }
}
