//! Puts a built file where others look for it, whole or not at all.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

/// Copies a file if it differs, so that what depends on it by time is not stale for nothing.
pub(crate) fn publish(from: &Path, to: &Path) -> Result<()> {
    let fresh = fs::read(from).with_context(|| format!("reading {}", from.display()))?;
    if fs::read(to).is_ok_and(|published| published == fresh) {
        return Ok(());
    }
    let folder = to.parent().context("an artifact without a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let aside = to.with_extension(format!("tmp{}", std::process::id()));
    fs::copy(from, &aside).with_context(|| format!("writing {}", aside.display()))?;
    fs::rename(&aside, to).with_context(|| format!("writing {}", to.display()))
}
