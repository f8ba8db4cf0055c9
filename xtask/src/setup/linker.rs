//! bpf-linker of the pinned version and LLVM, built once into the cache.

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::{Toolchain, machine::Machine};
use crate::{pins, progress::step, workspace};

/// The linker, if it is built and the LLVM it was built with is still there.
pub(crate) fn find(machine: &Machine) -> Option<PathBuf> {
    let home = machine.cache.join(folder());
    let linker = home.join("bin/bpf-linker");
    let llvm = home.join("lib/libLLVM.so");
    (linker.is_file() && llvm.exists()).then_some(linker)
}

/// Builds it into a folder aside and moves that into place, so that a kill leaves nothing half.
pub(crate) fn build(machine: &Machine, toolchain: &Toolchain) -> Result<PathBuf> {
    let (home, work) = (machine.cache.join(folder()), machine.cache.join("tmp-bpf-linker"));
    drop(fs::remove_dir_all(&work));
    drop(fs::remove_dir_all(&home));
    let llvm = llvm(machine, toolchain).with_context(|| {
        format!("no shared library of LLVM {0}: `sudo apt-get install libllvm{0}`", pins::LLVM)
    })?;
    // Final from the start: the linker looks for LLVM by this path.
    let libraries = home.join("lib");
    fs::create_dir_all(&libraries).with_context(|| format!("creating {}", libraries.display()))?;
    link_llvm(&llvm, &libraries)?;
    step(&format!("building bpf-linker {}", pins::BPF_LINKER), &mut install(&home, &work))?;
    let bin = home.join("bin");
    fs::rename(work.join("bin"), &bin).with_context(|| format!("moving to {}", bin.display()))?;
    fs::remove_dir_all(&work).with_context(|| format!("removing {}", work.display()))?;
    Ok(bin.join("bpf-linker"))
}

fn folder() -> String {
    format!("bpf-linker-{}-llvm-{}", pins::BPF_LINKER, pins::LLVM)
}

fn install(llvm_prefix: &Path, work: &Path) -> std::process::Command {
    let mut command = workspace::cargo();
    command.args(["install", "bpf-linker", "--locked", "--no-default-features", "--no-track"]);
    command.args(["--version", pins::BPF_LINKER, "--bin", "bpf-linker"]);
    command.args(["--features", &format!("llvm-{}", pins::LLVM)]);
    command.arg("--root").arg(work).arg("--target-dir").arg(work.join("target"));
    // Nobody debugs the linker here, and its manifest asks for everything.
    command.env("CARGO_PROFILE_RELEASE_DEBUG", "false").env("CARGO_PROFILE_RELEASE_STRIP", "true");
    // The folder's own configuration and flags are the workspace's, not for this.
    command.env("LLVM_PREFIX", llvm_prefix).env_remove("RUSTFLAGS").current_dir("/");
    command
}

/// The shared LLVM: the user's, Debian's, or the compiler's own.
fn llvm(machine: &Machine, toolchain: &Toolchain) -> Option<PathBuf> {
    let major = pins::LLVM;
    let arch = env::consts::ARCH;
    let own = toolchain.rustc.parent().and_then(Path::parent).map(|sysroot| sysroot.join("lib"));
    let folders = [
        machine.llvm_prefix.as_ref().map(|prefix| prefix.join("lib")),
        Some(machine.path(&format!("usr/lib/llvm-{major}/lib"))),
        Some(machine.path(&format!("usr/lib/{arch}-linux-gnu"))),
        Some(machine.path("usr/lib64")),
        own,
    ];
    let wanted = format!("libLLVM.so.{major}.");
    folders.into_iter().flatten().flat_map(|folder| Machine::entries(&folder)).find(|library| {
        library.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&wanted))
    })
}

/// Under the name that is linked and the name that is loaded.
fn link_llvm(llvm: &Path, libraries: &Path) -> Result<()> {
    let loaded = llvm.file_name().context("an LLVM without a name")?;
    for name in ["libLLVM.so".as_ref(), loaded] {
        symlink(llvm, libraries.join(name))
            .with_context(|| format!("linking {} into {}", llvm.display(), libraries.display()))?;
    }
    Ok(())
}
