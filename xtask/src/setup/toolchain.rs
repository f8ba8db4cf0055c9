//! A compiler of the kernel programs: the pinned rustup nightly, or Debian's rustc-web.

use std::{
    env, fmt, fs, iter,
    path::{Path, PathBuf},
    process::Command,
};

use thiserror::Error;

use super::machine::{Immutable, Machine};
use crate::pins;

/// The Debian packages of the second kind of compiler.
pub(crate) const PACKAGES: &[&str] =
    &["rustc-web", "libstd-rust-web-dev", "libstd-rust-web-dev-bpf"];

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

/// Why a compiler cannot be taken, with the way out.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub(crate) enum Refusal {
    #[error(
        "no rustup nightly of {} in {}: `rustup toolchain install nightly-{} --component rust-src`",
        pins::NIGHTLY, .folder.display(), pins::NIGHTLY
    )]
    NoNightly { folder: PathBuf },
    #[error("{name} has no rust-src: `rustup component add rust-src --toolchain {name}`")]
    NoRustSrc { name: String },
    #[error(
        "{} speaks LLVM {found}, bpf-linker {} speaks LLVM {}: pin a matching pair in xtask/src/pins.rs",
        .rustc.display(), pins::BPF_LINKER, pins::LLVM
    )]
    OtherLlvm { rustc: PathBuf, found: u32 },
    #[error("{} does not exist: `sudo apt-get install {}`", .rustc.display(), PACKAGES.join(" "))]
    NoRustcWeb { rustc: PathBuf },
    #[error(
        "{} is {}.{}, rustc-web {}.{} or newer is needed: `sudo apt-get install {}` with Debian's security archive",
        .rustc.display(), .found.0, .found.1, pins::RUSTC_WEB.0, pins::RUSTC_WEB.1, PACKAGES.join(" ")
    )]
    TooOld { rustc: PathBuf, found: (u32, u32) },
    #[error("{} is not there: `sudo apt-get install libstd-rust-web-dev-bpf`", .folder.display())]
    NoBpfCore { folder: PathBuf },
    #[error("{} does not tell its version ({answer}): reinstall it", .rustc.display())]
    Silent { rustc: PathBuf, answer: String },
}

/// All the reasons together: any one mended is enough.
#[derive(Debug, Error)]
pub(crate) struct Refusals {
    reasons: Vec<Refusal>,
    immutable: Option<Immutable>,
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
    Err(Refusals { reasons, immutable: None })
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

/// What `rustc -vV` says.
struct Version {
    release: (u32, u32),
    llvm: u32,
}

impl Version {
    fn of(rustc: &Path, libraries: Option<&Path>) -> Result<Self, Refusal> {
        let mut command = Command::new(rustc);
        command.arg("-vV");
        if let Some(libraries) = libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        let silent = |answer| Refusal::Silent { rustc: rustc.to_path_buf(), answer };
        let answer = Machine::ask(&mut command).map_err(|error| silent(format!("{error:#}")))?;
        Self::parse(&answer).ok_or_else(|| silent(answer))
    }

    fn parse(answer: &str) -> Option<Self> {
        let value = |key: &str| answer.lines().find_map(|line| line.strip_prefix(key));
        let mut release = value("release: ")?.split('.');
        let release = (release.next()?.parse().ok()?, release.next()?.parse().ok()?);
        let llvm = value("LLVM version: ")?.split('.').next()?.parse().ok()?;
        Some(Self { release, llvm })
    }

    fn check_llvm(&self, rustc: &Path) -> Result<(), Refusal> {
        if self.llvm == pins::LLVM {
            return Ok(());
        }
        Err(Refusal::OtherLlvm { rustc: rustc.to_path_buf(), found: self.llvm })
    }
}

// === impl Refusals ===

impl Refusals {
    /// Adds why nothing was installed.
    pub(crate) fn with(self, immutable: Immutable) -> Self {
        Self { immutable: Some(immutable), ..self }
    }

    #[cfg(test)]
    pub(crate) fn reasons(&self) -> &[Refusal] {
        &self.reasons
    }
}

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reasons, immutable } = self;
        write!(f, "no compiler for the kernel programs; one of these is enough:")?;
        for reason in reasons {
            write!(f, "\n  - {reason}")?;
        }
        immutable.as_ref().map_or(Ok(()), |immutable| write!(f, "\n({immutable})"))
    }
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
