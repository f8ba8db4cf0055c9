//! Why the kernel programs and tables are not there.

use std::io;
use std::path::PathBuf;

use aya::EbpfError;
use aya::maps::MapError;
use aya::programs::ProgramError;

use super::shape::Shape;

/// Why the kernel programs and tables are not there.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The build has no object.
    #[error(
        "this program was built without its kernel programs: build them with `cargo xtask build`, \
         which builds this one again with them in"
    )]
    NoObject,
    /// Another version's pins.
    #[error(
        "{}: pins of table layout {found}, made by another version of waggle; this one uses layout \
         {expected}: run `waggle cleanup`, which ends connections through Services, or start \
         the version that made them", .path.display()
    )]
    OtherLayout {
        /// The folder of the other pins.
        path: PathBuf,
        /// Its layout.
        found: String,
        /// This build's layout.
        expected: u32,
    },
    /// A pinned map of another shape.
    #[error(
        "pinned map {}: it is a {found}, but this build needs a {expected}: run `waggle cleanup`, \
         which ends connections through Services, and start again", .path.display()
    )]
    Shape {
        /// The map's pin.
        path: PathBuf,
        /// What is pinned.
        found: Shape,
        /// What should be.
        expected: Shape,
    },
    /// A pinned map that cannot be used.
    #[error("pinned map {}: {}; `waggle cleanup` removes it", .path.display(), causes(.cause))]
    Map {
        /// The map's pin.
        path: PathBuf,
        /// What the kernel answered.
        cause: MapError,
    },
    /// The object as a whole was refused.
    #[error(
        "kernel object: {}; the kernel must be Linux 5.10 or later with CONFIG_BPF_SYSCALL and \
         CONFIG_DEBUG_INFO_BTF", causes(.cause)
    )]
    Object {
        /// What the loader or the kernel answered.
        cause: EbpfError,
    },
    /// A program that the object should have.
    #[error("kernel object: it has no program {name}: build it again with `cargo xtask build`")]
    NoProgram {
        /// The program's name.
        name: &'static str,
    },
    /// A program that was refused.
    #[error(
        "kernel program {name}: {}; the kernel must be Linux 5.10 or later and let this process \
         load programs", refusal(.cause)
    )]
    Program {
        /// The program's name.
        name: &'static str,
        /// What the kernel answered.
        cause: ProgramError,
    },
    /// A cgroup whose processes are not those of the node.
    #[error(
        "--cgroup-root {}: programs attached there do not see the calls of this process, which is \
         in the cgroup {own}: give the root of the hierarchy that all processes of the node are in, \
         such as /sys/fs/cgroup; a container must mount the host's", .root.display()
    )]
    CgroupUnseen {
        /// The folder.
        root: PathBuf,
        /// The process's own cgroup.
        own: String,
    },
    /// No socket to try the programs with.
    #[error(
        "failed to try the programs at the cgroup with a socket of the loopback address: {cause}; \
         `ip link set lo up` brings that up"
    )]
    Trial {
        /// What the system answered.
        cause: io::Error,
    },
    /// A pin that could not be made or moved.
    #[error("failed to pin {}: {cause}; check the BPF file system of --bpf-root", .path.display())]
    Pin {
        /// The pin.
        path: PathBuf,
        /// What the kernel answered.
        cause: String,
    },
    /// A folder that could not be read.
    #[error("failed to read {}: {cause}", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system answered.
        cause: io::Error,
    },
    /// Pins' folders or hooks.
    #[error(transparent)]
    Host(#[from] hostnet::Error),
}

/// Lines of the verifier's log that name what it refused: its last.
const LOG_LINES: usize = 20;

fn refusal(error: &ProgramError) -> String {
    let ProgramError::LoadError { io_error, verifier_log } = error else { return causes(error) };
    let log = verifier_log.to_string();
    let lines: Vec<_> = log.lines().collect();
    let tail = lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default().join("\n  ");
    format!("{io_error}, with the verifier's last words:\n  {tail}\n")
}

/// An error with its causes: aya's errors do not print theirs.
pub(crate) fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    let mut texts: Vec<_> = chain.map(ToString::to_string).collect();
    texts.dedup();
    texts.join(": ")
}
