//! The agent, with the kernel programs inside.

use std::{path::Path, process::Command};

use anyhow::Result;

use super::publish::publish;
use crate::{
    progress::step,
    workspace::{self, artifacts},
};

/// How much the compiler optimises.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Compiles fast: demo and tests.
    Dev,
    /// Runs fast.
    Release,
}

/// Builds `waggle`; the object must be built already.
pub(crate) fn build(profile: Profile) -> Result<()> {
    let mut command = command();
    let folder = match profile {
        Profile::Dev => "debug",
        Profile::Release => {
            command.arg("--release");
            "release"
        }
    };
    step("building waggle", &mut command)?;
    publish(&workspace::target().join(folder).join("waggle"), &artifacts().waggle)
}

/// Builds a `waggle` around another object, for tests; the next [`build`] has the usual one again.
pub(super) fn build_around(object: &Path, waggle: &Path) -> Result<()> {
    let mut command = command();
    step("building another waggle", command.env("WAGGLE_EBPF_OBJECT", object))?;
    publish(&workspace::target().join("debug/waggle"), waggle)
}

fn command() -> Command {
    let mut command = workspace::cargo();
    command.args(["build", "--locked", "--package", "waggle-agent", "--bin", "waggle"]);
    command
}
