//! A pod's network namespace as ADD saw it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use hostnet::NetNs;
use hostnet::netns::Identity;

const MOUNTS: &str = "/proc/thread-self/ns/mnt";

/// Which namespace was at a path, and among whose mounts: an agent in a container sees another
/// folder under the same name, or the files without what is mounted on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sight {
    /// The pod's network namespace.
    pub(crate) namespace: Identity,
    /// The mount namespace of whoever looked.
    pub(crate) mounts: Identity,
}

impl Sight {
    /// How this process sees a namespace; none, where it cannot say among which mounts.
    #[must_use]
    pub(crate) fn of(namespace: &NetNs) -> Option<Self> {
        Some(Self { namespace: namespace.identity(), mounts: mounts()? })
    }

    /// Whether the namespace has provably left its path. Who has other mounts can prove nothing.
    #[must_use]
    pub(crate) fn is_gone(self, path: &Path) -> bool {
        let is_there = || NetNs::open(path).is_ok_and(|it| it.identity() == self.namespace);
        mounts() == Some(self.mounts) && !is_there()
    }

    /// The text that [`Self::parse`] reads.
    #[must_use]
    pub(super) fn to_text(self) -> String {
        let Self { namespace, mounts } = self;
        [namespace.device, namespace.inode, mounts.device, mounts.inode]
            .map(|number| number.to_string())
            .join(":")
    }

    /// Reads a text.
    #[must_use]
    pub(super) fn parse(text: &str) -> Option<Self> {
        let numbers: Option<Vec<u64>> = text.split(':').map(|part| part.parse().ok()).collect();
        let [namespace_device, namespace, mounts_device, mounts] = numbers?[..] else {
            return None;
        };
        let of = |device, inode| Identity { device, inode };
        Some(Self { namespace: of(namespace_device, namespace), mounts: of(mounts_device, mounts) })
    }
}

fn mounts() -> Option<Identity> {
    let found = fs::metadata(MOUNTS).ok()?;
    Some(Identity { device: found.dev(), inode: found.ino() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_gone_only_for_who_has_the_mounts_it_was_seen_among() {
        let path = "/proc/self/ns/net";
        let here = Sight::of(&NetNs::open(Path::new(path)).unwrap()).unwrap();
        let next = |it: Identity| Identity { inode: it.inode + 1, ..it };
        let (reused, elsewhere) = (next(here.namespace), next(here.mounts));
        for (path, namespace, mounts, expected) in [
            (path, here.namespace, here.mounts, false),
            (path, reused, here.mounts, true),
            ("/run/netns/never-was", here.namespace, here.mounts, true),
            ("/proc/self/status", here.namespace, here.mounts, true),
            (path, reused, elsewhere, false),
            ("/run/netns/never-was", here.namespace, elsewhere, false),
            ("/proc/self/status", here.namespace, elsewhere, false),
        ] {
            let found = Sight { namespace, mounts }.is_gone(Path::new(path));
            assert_eq!(found, expected, "{path} {namespace:?} {mounts:?}");
        }
    }
}
