//! What a machine has that a demo could leave behind.

use std::{collections::BTreeSet, fs, io, path::Path, process::Command, thread, time::Duration};

use anyhow::{Context as _, Result};
use aya::{
    maps::loaded_maps,
    programs::{loaded_links, loaded_programs},
};

/// Words in the command lines of the demo's processes.
const OURS: [&str; 3] = ["node-init", "demo-server", "target/demo/"];

/// One line for each thing by which two moments of a machine are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Machine {
    things: BTreeSet<String>,
}

impl Machine {
    /// As it is, once no object of it is just being freed: such a one cannot be looked at.
    pub(super) fn now() -> Result<Self> {
        for _ in 0..50 {
            if let Ok(seen) = Self::look() {
                return Ok(seen);
            }
            thread::sleep(Duration::from_millis(20));
        }
        Self::look()
    }

    fn look() -> Result<Self> {
        let mut machine = Self { things: BTreeSet::new() };
        machine.add("link", lines("ip", &["-oneline", "link", "show"])?);
        machine.add("namespace", lines("ip", &["netns", "list"])?);
        machine.add("pin", files_below(Path::new("/sys/fs/bpf"))?);
        machine.add("bpf", bpf()?);
        machine.add("cgroup", cgroups()?);
        machine.add("process", processes()?);
        machine.add("sysctl", sysctls()?);
        Ok(machine)
    }

    /// What is there and was not before, or was and is not; programs and maps of others may go.
    pub(super) fn changes_since(&self, before: &Self) -> Vec<String> {
        let came = self.things.difference(&before.things).map(|thing| format!("came: {thing}"));
        let went = before
            .things
            .difference(&self.things)
            .filter(|thing| !thing.starts_with("bpf"))
            .map(|thing| format!("went: {thing}"));
        came.chain(went).collect()
    }

    fn add(&mut self, kind: &str, things: Vec<String>) {
        self.things.extend(things.into_iter().map(|thing| format!("{kind} {thing}")));
    }
}

fn lines(program: &str, arguments: &[&str]) -> Result<Vec<String>> {
    let output = Command::new(program).args(arguments).output().context(program.to_owned())?;
    Ok(String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect())
}

/// Programs, maps and links by number.
fn bpf() -> Result<Vec<String>> {
    let mut found = Vec::new();
    for program in loaded_programs() {
        let program = program?;
        found.push(format!("program {} {:?}", program.id(), program.name_as_str()));
    }
    for map in loaded_maps() {
        let map = map?;
        found.push(format!("map {} {:?}", map.id(), map.name_as_str()));
    }
    for link in loaded_links() {
        found.push(format!("link {}", link?.id()));
    }
    Ok(found)
}

fn files_below(folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        match fs::symlink_metadata(&path) {
            Ok(kind) if kind.is_dir() => found.extend(files_below(&path)?),
            Ok(_) => found.push(path.display().to_string()),
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => {}
            Err(other) => return Err(other).context(path.display().to_string()),
        }
    }
    Ok(found)
}

fn sysctls() -> Result<Vec<String>> {
    let mut found = Vec::new();
    for path in files_below(Path::new("/proc/sys/net"))? {
        // Some can only be written, and one counts what others do.
        match fs::read_to_string(&path) {
            Ok(value) if !path.ends_with("nf_conntrack_count") => {
                found.push(format!("{path} {}", value.trim()));
            }
            Ok(_) | Err(_) => {}
        }
    }
    Ok(found)
}

/// The first level of the cgroup2 tree.
fn cgroups() -> Result<Vec<String>> {
    let mounts = fs::read_to_string("/proc/mounts")?;
    let mut mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let root = mounts.find_map(|fields| (fields[2] == "cgroup2").then(|| fields[1].to_owned()));
    let mut found = Vec::new();
    for entry in fs::read_dir(root.context("no cgroup2 is mounted")?)? {
        let path = entry?.path();
        if path.is_dir() {
            found.push(path.display().to_string());
        }
    }
    Ok(found)
}

/// The demo's; others come and go as they like.
fn processes() -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let line = fs::read(entry?.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if OURS.iter().any(|word| line.contains(word)) {
            found.push(line);
        }
    }
    Ok(found)
}
