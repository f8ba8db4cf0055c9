//! Where pinned maps, programs and links are, for everyone who needs them.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use dataplane_common::abi::names;

use crate::error::{During as _, Result};
use crate::hook::Direction;

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

    /// The pin of the link at one device and direction.
    ///
    /// The BPF file system keeps names with dots for itself, and devices cannot have colons in
    /// theirs, so one stands for the other.
    #[must_use]
    pub fn link(&self, device: &str, direction: Direction) -> PathBuf {
        let device = device.replace('.', ":");
        self.links().join(format!("{device}-{}", direction.as_str()))
    }

    /// The device and direction that a file in [`Self::links`] is of; none, if it is not ours.
    #[must_use]
    pub fn link_of(file_name: &OsStr) -> Option<(String, Direction)> {
        let (device, direction) = file_name.to_str()?.rsplit_once('-')?;
        Some((device.replace(':', "."), Direction::from_name(direction)?))
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
        for (device, direction) in [
            ("eth0", Direction::Ingress),
            ("a-in", Direction::Egress),
            ("eth0.7", Direction::Egress),
        ] {
            let path = pins.link(device, direction);
            let name = path.file_name().unwrap();
            assert!(!name.to_str().unwrap().contains('.'), "{name:?}");
            assert_eq!(Pins::link_of(name), Some((device.to_owned(), direction)));
        }
    }

    #[test]
    fn foreign_files_are_none_of_ours() {
        for name in ["eth0", "eth0-up", "maps.debug"] {
            assert_eq!(Pins::link_of(OsStr::new(name)), None, "{name}");
        }
    }
}
