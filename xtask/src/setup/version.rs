//! What a compiler says of itself.

use std::{path::Path, process::Command};

use super::{machine::Machine, refusal::Refusal};
use crate::pins;

/// What `rustc -vV` says.
pub(super) struct Version {
    pub(super) release: (u32, u32),
    llvm: u32,
}

impl Version {
    pub(super) fn of(rustc: &Path, libraries: Option<&Path>) -> Result<Self, Refusal> {
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

    pub(super) fn check_llvm(&self, rustc: &Path) -> Result<(), Refusal> {
        if self.llvm == pins::LLVM {
            return Ok(());
        }
        Err(Refusal::OtherLlvm { rustc: rustc.to_path_buf(), found: self.llvm })
    }
}
