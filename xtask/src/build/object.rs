//! The kernel programs: one ELF object for the BPF target.

use std::{env, path::PathBuf, process::Command};

use anyhow::Result;

use super::publish::publish;
use crate::{
    progress::step,
    setup::{Kind, Ready, Toolchain},
    workspace::{self, artifacts},
};

const TARGET: &str = "bpfel-unknown-none";

/// Builds the object if a source of it changed.
pub(crate) fn build(ready: &Ready) -> Result<()> {
    step("building the kernel programs", &mut command(ready, "build", "ebpf-build", ""))?;
    publish(&built("ebpf-build"), &artifacts().object)
}

/// Where cargo leaves it in a target folder.
pub(super) fn built(target: &str) -> PathBuf {
    workspace::target().join(target).join(TARGET).join("release/waggle")
}

/// A cargo verb on the kernel programs, in a target folder by itself.
pub(crate) fn command(ready: &Ready, verb: &str, target: &str, extra_flags: &str) -> Command {
    let mut command = compiler(&ready.toolchain);
    command.args([verb, "--release", "--locked", "--target", TARGET, "--target-dir"]);
    command.arg(workspace::target().join(target));
    command.current_dir(workspace::root().join("dataplane-ebpf"));
    let flags = format!("{} {extra_flags}", flags(ready));
    command.env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_RUSTFLAGS", flags);
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    command
}

fn compiler(toolchain: &Toolchain) -> Command {
    let Toolchain { kind, rustc, libraries } = toolchain;
    let mut command = match kind {
        Kind::Nightly => {
            let mut command = Command::new(rustc.with_file_name("cargo"));
            command.arg("-Zbuild-std=core");
            command
        }
        Kind::RustcWeb => {
            let mut command = workspace::cargo();
            command.env("RUSTC_BOOTSTRAP", "1");
            command
        }
    };
    command.env("RUSTC", rustc).env_remove("RUSTUP_TOOLCHAIN");
    if let Some(libraries) = libraries {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    command
}

/// BTF needs both its own flag and debug information; cpu v3 is known since Linux 5.1. Copies
/// expanded in order would be calls of functions that go byte by byte, and would need more stack than
/// there is.
fn flags(ready: &Ready) -> String {
    format!(
        "--cfg=bpf_target_arch=\"{}\" -Cdebuginfo=2 -Clink-arg=--btf \
         -Clink-arg=--disable-expand-memcpy-in-order -Clinker={} -Ctarget-cpu=v3",
        env::consts::ARCH,
        ready.linker.display()
    )
}
