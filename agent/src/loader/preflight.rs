//! What must hold before anything is loaded, each with the sentence that mends it.

use std::io;
use std::path::{Path, PathBuf};

use aya::maps::{Array, MapData, MapError};
use aya::programs::ProgramType;
use aya::sys::{BpfHelper, is_helper_supported};
use dataplane_common::abi::Clock;
use dataplane_common::abi::names::ABI;
use rustix::fs::statfs;
use rustix::thread::{CapabilitySet, capabilities};

use super::LoadError;
use crate::mounts::{Mounts, existing_part};

const BPF_FS: &str = "bpf";
const CGROUP_FS: &str = "cgroup2";
/// What the kernel tells that file system by.
const CGROUP2_MAGIC: i64 = 0x6367_7270;

/// What does not hold.
#[derive(Debug, thiserror::Error)]
pub enum PreflightError {
    /// The process may not do what it must.
    #[error("this process lacks {missing}: run it as root, or grant it these capabilities")]
    Capabilities {
        /// The names of what it lacks.
        missing: String,
    },
    /// The folder for pins is elsewhere.
    #[error(
        "--bpf-root {}: {} is on a file system of type {kind}, but pins need one of type bpf: \
         `mount -t bpf bpf {}`, or give another --bpf-root",
        .root.display(), .part.display(), .mount.display()
    )]
    NotBpffs {
        /// The folder as it was given.
        root: PathBuf,
        /// The part of it that exists.
        part: PathBuf,
        /// What that is on.
        kind: String,
        /// Where one could be mounted.
        mount: PathBuf,
    },
    /// The kernel has no BPF for us.
    #[error("the kernel refuses to make a BPF map: {cause}")]
    NoBpf {
        /// Why, and what mends it.
        cause: String,
    },
    /// The folder is not of a cgroup v2 hierarchy.
    #[error(
        "--cgroup-root {}: it is {kind}, but must be a folder of a cgroup v2 hierarchy, such as \
         /sys/fs/cgroup: mount one with `mount -t cgroup2 none DIR`", .folder.display()
    )]
    NotCgroup2 {
        /// The folder.
        folder: PathBuf,
        /// What it is.
        kind: String,
    },
    /// The mounts cannot be read.
    #[error("failed to read the mounts of {}: {cause}; /proc must be mounted", .path.display())]
    Mounts {
        /// The folder in question.
        path: PathBuf,
        /// What the system answered.
        cause: io::Error,
    },
}

/// Checks that this process may load and attach programs.
///
/// # Errors
/// Naming the capabilities that it lacks.
pub fn capable() -> Result<(), PreflightError> {
    let held = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
    let missing = missing(held);
    if missing.is_empty() {
        return Ok(());
    }
    Err(PreflightError::Capabilities { missing: missing.join(", ") })
}

fn missing(held: CapabilitySet) -> Vec<&'static str> {
    let needed = [
        (CapabilitySet::NET_ADMIN, "CAP_NET_ADMIN"),
        (CapabilitySet::BPF.union(CapabilitySet::SYS_ADMIN), "CAP_BPF"),
        (CapabilitySet::PERFMON.union(CapabilitySet::SYS_ADMIN), "CAP_PERFMON"),
    ];
    let lacks = needed.into_iter().filter(|(any, _)| !held.intersects(*any));
    lacks.map(|(_, name)| name).collect()
}

/// Checks that `root` is, or can be made, on a BPF file system.
///
/// # Errors
/// Naming the file system it is on.
pub fn on_bpffs(root: &Path) -> Result<(), PreflightError> {
    let (part, kind) = file_system(root)?;
    if kind == BPF_FS {
        return Ok(());
    }
    let mount = if part == root { root } else { root.parent().unwrap_or(root) };
    Err(PreflightError::NotBpffs { root: root.into(), part, kind, mount: mount.into() })
}

/// The folder of the cgroup v2 hierarchy: the one that was given, or the first that is mounted.
///
/// # Errors
/// When what was given is something else.
pub fn cgroup_root(given: Option<&Path>) -> Result<Option<PathBuf>, PreflightError> {
    let Some(folder) = given else {
        let mounts = Mounts::read().map_err(|cause| unreadable(Path::new("/"), cause))?;
        return Ok(mounts.of(CGROUP_FS).find(|folder| is_cgroup2(folder)).map(PathBuf::from));
    };
    let kind = match file_system(folder)? {
        (part, _) if part != folder => "missing".to_owned(),
        (_, kind) if kind == CGROUP_FS => return Ok(Some(folder.into())),
        (_, kind) => format!("on a file system of type {kind}"),
    };
    Err(PreflightError::NotCgroup2 { folder: folder.into(), kind })
}

/// Whether a cgroup v2 hierarchy is what is found at a path: other mounts may cover one.
fn is_cgroup2(folder: &Path) -> bool {
    statfs(folder).is_ok_and(|found| found.f_type == CGROUP2_MAGIC)
}

/// Checks by trying that the kernel makes BPF objects for this process.
///
/// # Errors
/// With what refused it, as far as the kernel says.
pub fn has_bpf() -> Result<(), PreflightError> {
    let error = match Array::<MapData, u32>::create(1, 0) {
        Ok(_) => return Ok(()),
        Err(MapError::CreateError { io_error, .. }) => io_error,
        Err(other) => io::Error::other(other),
    };
    let cause = match error.kind() {
        io::ErrorKind::Unsupported => {
            "it was built without BPF: use a kernel with CONFIG_BPF_SYSCALL=y".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "permission denied: lift the lockdown, seccomp filter or user namespace that this \
             process runs in"
                .to_owned()
        }
        _ => error.to_string(),
    };
    Err(PreflightError::NoBpf { cause })
}

/// The clock that this kernel's programs can read most cheaply.
#[must_use]
pub fn clock() -> Clock {
    let coarse = BpfHelper::BPF_FUNC_ktime_get_coarse_ns;
    // A kernel that cannot be asked is taken for an old one.
    match is_helper_supported(ProgramType::SchedClassifier, coarse) {
        Ok(true) => Clock::Coarse,
        Ok(false) | Err(_) => Clock::Exact,
    }
}

/// Checks that no pins of another layout are below `root`.
///
/// # Errors
/// Naming the folder of such pins.
pub fn one_layout(root: &Path) -> Result<(), LoadError> {
    let unreadable = |cause| LoadError::Folder { path: root.into(), cause };
    let entries = match std::fs::read_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        read => read.map_err(unreadable)?,
    };
    for entry in entries {
        let name = entry.map_err(unreadable)?.file_name();
        let Some(found) = name.to_str().and_then(|name| name.strip_prefix("abi-")) else {
            continue;
        };
        if found != ABI.to_string() {
            let (path, found) = (root.join(&name), found.to_owned());
            return Err(LoadError::OtherLayout { path, found, expected: ABI });
        }
    }
    Ok(())
}

/// The part of `path` that exists, and the type of file system it is on.
fn file_system(path: &Path) -> Result<(PathBuf, String), PreflightError> {
    let part = existing_part(path).map_err(|cause| unreadable(path, cause))?;
    let mounts = Mounts::read().map_err(|cause| unreadable(path, cause))?;
    let kind =
        mounts.around(&part).map_or_else(|| "unknown".to_owned(), |mount| mount.kind.clone());
    Ok((part, kind))
}

fn unreadable(path: &Path, cause: io::Error) -> PreflightError {
    PreflightError::Mounts { path: path.into(), cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_capability_to_administer_the_system_stands_for_those_split_from_it() {
        let [net, admin] = [CapabilitySet::NET_ADMIN, CapabilitySet::SYS_ADMIN];
        let [bpf, perfmon] = [CapabilitySet::BPF, CapabilitySet::PERFMON];
        for (held, lacks) in [
            (net | bpf | perfmon, vec![]),
            (net | admin, vec![]),
            (net | bpf, vec!["CAP_PERFMON"]),
            (admin, vec!["CAP_NET_ADMIN"]),
            (CapabilitySet::empty(), vec!["CAP_NET_ADMIN", "CAP_BPF", "CAP_PERFMON"]),
        ] {
            assert_eq!(missing(held), lacks, "{held:?}");
        }
    }

    #[test]
    fn a_root_on_another_file_system_is_refused_with_the_command_that_mends_it() {
        let message = on_bpffs(Path::new("/proc/missing/waggle")).unwrap_err().to_string();
        let expected = "--bpf-root /proc/missing/waggle: /proc is on a file system of type proc, \
                        but pins need one of type bpf: `mount -t bpf bpf /proc/missing`, or give \
                        another --bpf-root";
        assert_eq!(message, expected);
    }

    #[test]
    fn a_cgroup_root_of_another_kind_is_refused() {
        for (folder, kind) in [("/proc", "on a file system of type proc"), ("/missing", "missing")]
        {
            let message = cgroup_root(Some(Path::new(folder))).unwrap_err().to_string();
            assert!(
                message.starts_with(&format!("--cgroup-root {folder}: it is {kind}")),
                "{message}"
            );
        }
    }

    #[test]
    fn pins_of_another_layout_are_refused_by_name() {
        let root = tempfile::tempdir().unwrap();
        for (folder, fine) in [("abi-8", true), ("other", true), ("abi-9", false)] {
            std::fs::create_dir(root.path().join(folder)).unwrap();
            assert_eq!(one_layout(root.path()).is_ok(), fine, "{folder}");
        }
        let message = one_layout(root.path()).unwrap_err().to_string();
        assert!(message.contains("abi-9: pins of table layout 9"), "{message}");
    }
}
