//! Where pinned maps, programs and links are, for everyone who needs them.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use dataplane_common::abi::names;

use crate::direction::Direction;
use crate::error::{During as _, Result};

/// The pins of the map layout this build was made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pins {
    root: PathBuf,
}

impl Pins {
    /// The pins below a root directory, which is `/sys/fs/bpf/waggle` by default.
    #[must_use]
    pub fn new(bpf_root: &Path) -> Self {
        Self { root: bpf_root.join(format!("abi-{}", names::ABI)) }
    }

    /// The directory that holds all of them.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of the maps.
    #[must_use]
    pub fn maps(&self) -> PathBuf {
        self.root.join("maps")
    }

    /// The directory of the programs.
    #[must_use]
    pub fn programs(&self) -> PathBuf {
        self.root.join("programs")
    }

    /// The directory of the links.
    #[must_use]
    pub fn links(&self) -> PathBuf {
        self.root.join("links")
    }

    /// One map's pin.
    #[must_use]
    pub fn map(&self, name: &str) -> PathBuf {
        self.maps().join(name)
    }

    /// One program's pin.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs().join(name)
    }

    /// The pin of the link at one direction of the device with an index.
    #[must_use]
    pub fn link(&self, index: u32, direction: Direction) -> PathBuf {
        self.links().join(format!("{index}-{}", direction.as_str()))
    }

    /// The device's index and the direction that a file in [`Self::links`] is of; none, if it is not
    /// ours.
    #[must_use]
    pub fn link_of(file_name: &OsStr) -> Option<(u32, Direction)> {
        let (index, direction) = file_name.to_str()?.split_once('-')?;
        Some((index.parse().ok()?, Direction::from_name(direction)?))
    }

    /// Makes the directories.
    ///
    /// # Errors
    /// When there is no BPF file system, or no right to write to it.
    pub fn create(&self) -> Result<()> {
        for directory in [self.maps(), self.programs(), self.links()] {
            fs::create_dir_all(&directory)
                .during("make", format_args!("pin directory {}", directory.display()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_recognised_by_its_file_name() {
        let pins = Pins::new(Path::new("/bpf"));
        for (index, direction) in [(1, Direction::Ingress), (u32::MAX, Direction::Egress)] {
            let path = pins.link(index, direction);
            assert_eq!(Pins::link_of(path.file_name().unwrap()), Some((index, direction)));
        }
    }

    #[test]
    fn foreign_files_are_none_of_ours() {
        for name in ["7", "7-up", "eth0-in", "maps.debug"] {
            assert_eq!(Pins::link_of(OsStr::new(name)), None, "{name}");
        }
    }
}
