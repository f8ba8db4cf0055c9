//! Why no compiler on this machine can build the kernel programs, each reason with its way out.

use std::{fmt, path::PathBuf};

use thiserror::Error;

use super::{machine::Immutable, package};
use crate::pins;

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
    #[error("{} does not exist: `sudo apt-get install {}`", .rustc.display(), package::RUSTC_WEB.join(" "))]
    NoRustcWeb { rustc: PathBuf },
    #[error(
        "{} is {}.{}, rustc-web {}.{} or newer is needed: `sudo apt-get install {}` with Debian's security archive",
        .rustc.display(), .found.0, .found.1, pins::RUSTC_WEB.0, pins::RUSTC_WEB.1, package::RUSTC_WEB.join(" ")
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

// === impl Refusals ===

impl Refusals {
    /// No compiler will do.
    pub(super) fn new(reasons: Vec<Refusal>) -> Self {
        Self { reasons, immutable: None }
    }

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
