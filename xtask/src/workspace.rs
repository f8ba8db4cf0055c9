//! Where things are: the workspace, what it builds, and the cargo that builds it.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

/// The files `cargo xtask build` makes, where every other verb and `tests/` look for them.
pub(crate) struct Artifacts {
    /// The agent.
    pub(crate) waggle: PathBuf,
    /// The CNI plugin, statically linked.
    pub(crate) waggle_cni: PathBuf,
    /// The kernel programs, as embedded in the agent.
    pub(crate) object: PathBuf,
}

/// Where the CNI plugin's suite looks for cnitool, which `cargo xtask build` does not make.
pub(crate) fn cnitool() -> PathBuf {
    target().join("upstream/cnitool")
}

/// The artifacts' paths, whether they are built or not.
pub(crate) fn artifacts() -> Artifacts {
    Artifacts {
        waggle: target().join("waggle/waggle"),
        waggle_cni: target().join("waggle/waggle-cni"),
        object: target().join("ebpf/waggle.o"),
    }
}

/// The workspace's root folder.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// The target folder; fixed, because other tools are told its paths.
pub(crate) fn target() -> PathBuf {
    root().join("target")
}

/// The target triple of this machine.
pub(crate) fn host_triple() -> String {
    format!("{}-unknown-linux-gnu", env::consts::ARCH)
}

/// The cargo that runs us, with its own compiler, in the workspace's root.
///
/// Both by absolute path: another rustc may come first on PATH.
pub(crate) fn cargo() -> Command {
    let cargo = cargo_path();
    let mut command = Command::new(&cargo);
    if let Some(rustc) = beside(&cargo, "rustc") {
        command.env("RUSTC", rustc);
    }
    for (name, _) in env::vars_os().filter(|(name, _)| is_of_this_package(name)) {
        command.env_remove(name);
    }
    command.env("CARGO_TARGET_DIR", target()).current_dir(root());
    command
}

/// Whether the cargo that runs us has said so about our package. Build scripts ask for these, and
/// would build again for another answer: ring, and with it the agent.
fn is_of_this_package(variable: &OsStr) -> bool {
    let prefixes = ["CARGO_PKG_", "CARGO_MANIFEST_"];
    prefixes.iter().any(|prefix| variable.as_encoded_bytes().starts_with(prefix.as_bytes()))
}

/// A cargo subcommand that is a program of its own (`fmt`, `clippy`), from the same toolchain.
pub(crate) fn cargo_tool(name: &str) -> Command {
    let mut command = cargo();
    if let Some(tool) = beside(&cargo_path(), &format!("cargo-{name}")) {
        let mut direct = Command::new(tool);
        direct.current_dir(root()).env("CARGO", cargo_path());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => direct.env(key, value),
                None => direct.env_remove(key),
            };
        }
        command = direct;
    }
    command.arg(name);
    command
}

fn cargo_path() -> PathBuf {
    env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

fn beside(program: &Path, name: &str) -> Option<PathBuf> {
    let sibling = program.parent()?.join(name);
    sibling.is_file().then_some(sibling)
}
