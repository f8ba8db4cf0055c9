//! Files that others read while they are written: whole or not there, by a rename.

use std::io;
use std::path::{Path, PathBuf};

/// Puts `bytes` in place of the file at `path`.
///
/// # Errors
/// When the folder cannot be written; the old file is left as it was.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let next = next(path);
    std::fs::write(&next, bytes)?;
    std::fs::rename(&next, path)
}

/// Removes the file at `path`, with what a write that was cut short left beside it; says whether
/// there was either.
///
/// # Errors
/// When the folder cannot be written.
pub fn remove(path: &Path) -> io::Result<bool> {
    let was_cut_short = tidy(path)?;
    Ok(remove_if_there(path)? || was_cut_short)
}

/// Removes what a write that was cut short left beside the file at `path`; says whether one did.
///
/// # Errors
/// When the folder cannot be written.
pub fn tidy(path: &Path) -> io::Result<bool> {
    remove_if_there(&next(path))
}

fn remove_if_there(path: &Path) -> io::Result<bool> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        removed => removed.map(|()| true),
    }
}

fn next(path: &Path) -> PathBuf {
    path.with_extension("next")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_new_bytes_replace_the_old_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.json");
        for bytes in [b"long before".as_slice(), b"after"] {
            replace(&path, bytes).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
    #[test]
    fn what_a_write_left_that_was_cut_short_goes_with_the_file_and_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.json");
        let cut_short = || std::fs::write(folder.path().join("node.next"), b"{").unwrap();
        replace(&path, b"{}").unwrap();
        cut_short();
        assert_eq!([tidy(&path).unwrap(), tidy(&path).unwrap()], [true, false]);
        assert_eq!(std::fs::read(&path).unwrap(), b"{}");
        cut_short();
        assert_eq!([remove(&path).unwrap(), remove(&path).unwrap()], [true, false]);
        cut_short();
        assert_eq!([remove(&path).unwrap(), remove(&path).unwrap()], [true, false]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
