//! The CNI plugin: one static file, since it is copied to hosts of any distribution.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use super::publish::publish;
use crate::{
    progress::step,
    workspace::{self, artifacts},
};

/// Started once or twice for each pod, so its size is read from disk that often.
const LIMIT: u64 = 4 << 20;

/// Builds `waggle-cni` in a target folder of its own: its flags would make all else stale.
pub(crate) fn build() -> Result<()> {
    let (target, triple) = (workspace::target().join("cni-build"), workspace::host_triple());
    let variable = format!("CARGO_TARGET_{}_RUSTFLAGS", triple.replace('-', "_").to_uppercase());
    let mut command = workspace::cargo();
    command.args(["build", "--locked", "--package", "waggle-cni", "--bin", "waggle-cni"]);
    command.args(["--profile", "cni", "--target", &triple, "--target-dir"]).arg(&target);
    command.env(variable, "-Ctarget-feature=+crt-static").env_remove("RUSTFLAGS");
    step("building waggle-cni", &mut command)?;
    let binary = target.join(triple).join("cni/waggle-cni");
    let bytes = fs::read(&binary).with_context(|| format!("reading {}", binary.display()))?;
    ensure!(
        bytes.len() as u64 <= LIMIT,
        "waggle-cni has {} bytes, more than {LIMIT}: find the dependency that brought them \
         with `cargo bloat --crates`",
        bytes.len()
    );
    ensure!(!has_interpreter(&bytes), "waggle-cni is not static: {}", binary.display());
    publish(&binary, &artifacts().waggle_cni)
}

/// Whether an ELF program names a dynamic loader.
fn has_interpreter(elf: &[u8]) -> bool {
    const PT_INTERP: u32 = 3;
    program_types(elf).is_some_and(|types| types.contains(&PT_INTERP))
}

/// The types of a 64-bit little-endian ELF's program headers.
fn program_types(elf: &[u8]) -> Option<Vec<u32>> {
    let half = |at: usize| Some(u16::from_le_bytes(elf.get(at..at + 2)?.try_into().ok()?));
    let start = u64::from_le_bytes(elf.get(32..40)?.try_into().ok()?);
    let (size, count) = (usize::from(half(54)?), usize::from(half(56)?));
    (0..count)
        .map(|index| {
            let at = usize::try_from(start).ok()? + index * size;
            Some(u32::from_le_bytes(elf.get(at..at + 4)?.try_into().ok()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::has_interpreter;

    #[test]
    fn a_dynamic_program_names_a_loader() {
        let this = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(has_interpreter(&this));
    }

    #[test]
    fn what_is_no_elf_names_none() {
        assert!(!has_interpreter(b"#!/bin/sh"));
    }
}
