//! The workspace's Rust files, read once.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::workspace;

/// Folders of crates; the kernel programs are a workspace of their own.
pub(crate) const CRATES: &[&str] =
    &["agent", "cni", "dataplane-common", "dataplane-ebpf", "hostnet", "tests", "xtask"];

/// A Rust file.
pub(crate) struct Source {
    /// From the workspace's root.
    pub(crate) path: PathBuf,
    /// Its text.
    pub(crate) text: String,
}

/// All of them, in order of their paths.
pub(crate) struct Sources(pub(crate) Vec<Source>);

impl Sources {
    /// Reads them.
    pub(crate) fn read() -> Result<Self> {
        let root = workspace::root();
        let mut files = Vec::new();
        for name in CRATES {
            collect(&root.join(name), &mut files)?;
        }
        files.sort();
        let read = |path: PathBuf| {
            let text =
                fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            let path = path.strip_prefix(&root).unwrap_or(&path).to_path_buf();
            Ok(Source { path, text })
        };
        files.into_iter().map(read).collect::<Result<_>>().map(Self)
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

impl Source {
    /// The lines that are not comments, numbered from one.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
        lines.filter(|(_, line)| !line.starts_with("//"))
    }

    /// Whether it holds tests only: a suite, or the tests of a module beside it.
    pub(crate) fn is_test(&self) -> bool {
        let in_suite = self.path.components().any(|part| part.as_os_str() == "tests");
        in_suite || self.path.file_stem().is_some_and(|stem| stem == "tests")
    }
}
