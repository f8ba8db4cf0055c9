//! rustc-web beside a Debian rustc or rustup that it would replace: unpacked, not installed.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result};

use super::{apt, machine::Machine, package};
use crate::progress::step;

/// The shared library of LLVM conflicts with nothing and is installed as usual.
const LLVM_PREFIX: &str = "libllvm";

/// Downloads rustc-web and unpacks it into the cache; a killed run leaves only a `tmp-` folder.
pub(crate) fn rustc_web(machine: &Machine) -> Result<()> {
    let work = machine.cache.join("tmp-rustc-web");
    drop(fs::remove_dir_all(&work));
    let (archives, tree) = (work.join("archives"), work.join("tree"));
    for folder in [&archives, &tree] {
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    }
    fetch(&archives)?;
    let archives = Machine::entries(&archives);
    for archive in &archives {
        let what = format!("unpacking {}", file_name(archive));
        step(&what, Command::new("/usr/bin/dpkg-deb").arg("-x").arg(archive).arg(&tree))?;
    }
    let version = archives.iter().find_map(|archive| version(&file_name(archive)));
    let version = version.context("finding the version of rustc-web in its file name")?;
    let home = machine.cache.join(format!("rustc-web-{version}"));
    drop(fs::remove_dir_all(&home));
    fs::rename(&tree, &home).with_context(|| format!("moving into {}", home.display()))?;
    fs::remove_dir_all(&work).with_context(|| format!("removing {}", work.display()))
}

fn fetch(folder: &Path) -> Result<()> {
    apt::download(package::RUSTC_WEB, folder)?;
    // The runtime half is named after its version.
    let runtime = apt::dependencies("libstd-rust-web-dev")?;
    let runtime: Vec<&str> = runtime.iter().map(String::as_str).collect();
    apt::download(&runtime, folder)?;
    for library in runtime {
        let needed = apt::dependencies(library)?;
        let llvm: Vec<&str> =
            needed.iter().map(String::as_str).filter(|n| n.starts_with(LLVM_PREFIX)).collect();
        apt::install(&llvm)?;
    }
    Ok(())
}

/// `1.96.0+dfsg1` of `rustc-web_1.96.0+dfsg1_amd64.deb`.
fn version(archive: &str) -> Option<String> {
    let (version, _) = archive.strip_prefix("rustc-web_")?.split_once('_')?;
    Some(version.to_owned())
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
