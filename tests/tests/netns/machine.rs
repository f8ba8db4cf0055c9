//! What a machine has that a demo could leave behind.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use aya::{maps::loaded_maps, programs::loaded_programs};

/// Everything by which two moments of a machine are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Machine {
    links: BTreeSet<String>,
    namespaces: BTreeSet<String>,
    pins: BTreeSet<PathBuf>,
    programs: BTreeSet<String>,
    maps: BTreeSet<String>,
    tcx_links: BTreeSet<u32>,
    cgroups: BTreeSet<PathBuf>,
    processes: BTreeMap<u32, String>,
    sysctls: BTreeMap<PathBuf, String>,
}

impl Machine {
    /// As it is.
    pub(super) fn now() -> Result<Self> {
        let mut pins = BTreeSet::new();
        files_below(Path::new("/sys/fs/bpf"), &mut |path| {
            pins.insert(path.to_owned());
        })?;
        let mut sysctls = BTreeMap::new();
        files_below(Path::new("/proc/sys/net"), &mut |path| {
            // Some can only be written, and one counts what others do.
            if let (Ok(value), false) =
                (fs::read_to_string(path), path.ends_with("nf_conntrack_count"))
            {
                sysctls.insert(path.to_owned(), value);
            }
        })?;
        Ok(Self {
            links: lines("ip", &["-oneline", "link", "show"])?,
            namespaces: lines("ip", &["netns", "list"])?,
            pins,
            programs: loaded_programs()
                .map(|program| {
                    let program = program?;
                    Ok(format!("{} {}", program.id(), program.name_as_str().unwrap_or_default()))
                })
                .collect::<Result<_>>()?,
            maps: loaded_maps()
                .map(|map| {
                    let map = map?;
                    Ok(format!("{} {}", map.id(), map.name_as_str().unwrap_or_default()))
                })
                .collect::<Result<_>>()?,
            tcx_links: aya::programs::loaded_links()
                .map(|link| Ok(link?.id()))
                .collect::<Result<_>>()?,
            cgroups: cgroups()?,
            processes: processes()?,
            sysctls,
        })
    }

    /// Only what a killed demo may leave until the next one: names of namespaces, empty cgroups.
    pub(super) fn without_names(self) -> Self {
        Self { namespaces: BTreeSet::new(), cgroups: BTreeSet::new(), ..self }
    }
}

fn lines(program: &str, arguments: &[&str]) -> Result<BTreeSet<String>> {
    let output =
        Command::new(program).args(arguments).output().with_context(|| program.to_owned())?;
    Ok(String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect())
}

fn files_below(folder: &Path, visit: &mut dyn FnMut(&Path)) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => files_below(&path, visit)?,
            Ok(_) => visit(&path),
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => {}
            Err(other) => return Err(other).context(path.display().to_string()),
        }
    }
    Ok(())
}

/// The first two levels of the cgroup2 tree.
fn cgroups() -> Result<BTreeSet<PathBuf>> {
    let mounts = fs::read_to_string("/proc/mounts")?;
    let mut mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let root = mounts.find_map(|fields| (fields[2] == "cgroup2").then(|| fields[1].to_owned()));
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(root.context("no cgroup2 is mounted")?)? {
        let path = entry?.path();
        if path.is_dir() {
            found.insert(path);
        }
    }
    Ok(found)
}

/// Programs of ours; others come and go as they like.
fn processes() -> Result<BTreeMap<u32, String>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let Ok(pid) = entry.file_name().to_string_lossy().parse() else { continue };
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if ["node-init", "demo-server", "waggle/waggle"].iter().any(|word| line.contains(word)) {
            found.insert(pid, line);
        }
    }
    Ok(found)
}
