//! What cargo itself checks: format, clippy, and the kernel programs' own warnings.

use std::process::Command;

use anyhow::Result;

use super::Outcome;
use crate::{
    build,
    progress::step,
    setup::Ready,
    workspace::{cargo_tool, root},
};

/// Every crate is formatted.
pub(crate) fn format() -> Result<Outcome> {
    step("checking the format", cargo_tool("fmt").args(["--all", "--check"]))?;
    let mut kernel = cargo_tool("fmt");
    kernel.arg("--check").current_dir(root().join("dataplane-ebpf"));
    step("checking the kernel programs' format", &mut kernel)?;
    Ok(Outcome::Clean)
}

/// Clippy has nothing to say, with and without dataplane-common's user-space feature.
pub(crate) fn clippy() -> Result<Outcome> {
    step("clippy", &mut clippy_of(&["--workspace"]))?;
    step("clippy without features", &mut clippy_of(&["--package", "dataplane-common"]))?;
    Ok(Outcome::Clean)
}

fn clippy_of(selection: &[&str]) -> Command {
    let mut command = cargo_tool("clippy");
    command.args(["--locked", "--all-targets"]).args(selection).args(["--", "-D", "warnings"]);
    command
}

/// The kernel programs compile without a warning. Their compiler may come without a clippy, so
/// the compiler's own lints are what every machine can check.
pub(crate) fn kernel_programs(ready: &Ready) -> Result<Outcome> {
    let mut command = build::object_command(ready, "check", "ebpf-lint", "-Dwarnings");
    step("checking the kernel programs", &mut command)?;
    Ok(Outcome::Clean)
}
