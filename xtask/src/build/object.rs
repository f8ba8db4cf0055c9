//! The kernel programs: one ELF object for the BPF target.

use std::{env, process::Command};

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
    let target = workspace::target().join("ebpf-build");
    let mut command = compiler(&ready.toolchain);
    command.args(["build", "--release", "--locked", "--target", TARGET, "--target-dir"]);
    command.arg(&target).current_dir(workspace::root().join("dataplane-ebpf"));
    command.env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_RUSTFLAGS", flags(ready));
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    step("building the kernel programs", &mut command)?;
    publish(&target.join(TARGET).join("release/waggle"), &artifacts().object)
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

/// BTF needs both its own flag and debug information; cpu v3 is known since Linux 5.1.
fn flags(ready: &Ready) -> String {
    format!(
        "--cfg=bpf_target_arch=\"{}\" -Cdebuginfo=2 -Clink-arg=--btf -Clinker={} -Ctarget-cpu=v3",
        env::consts::ARCH,
        ready.linker.display()
    )
}
