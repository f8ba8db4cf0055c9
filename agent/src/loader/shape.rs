//! The maps' shapes. A loader takes a pinned map as it finds it, so what is pinned is compared with
//! what this build writes and reads before anything trusts it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use aya::maps::{MapError, MapInfo, MapType};
use dataplane_common::abi::{
    Addr, Affinity, AffinityKey, Backend, Counter, FlowEntry, FlowKey, FragmentKey, Fragmented,
    FrontendKey, HostPort, LIVES, Link, Meta, Network, Node, Pod, Service, Slot, SocketEntry,
    SocketKey, SourceKey, names,
};
use hostnet::Pins;

use super::LoadError;

/// Type and sizes of a map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// The map's name.
    pub name: &'static str,
    /// Most entries.
    pub max_entries: u32,
    kind: MapType,
    key: usize,
    value: usize,
}

/// The shape of every map.
pub const SHAPES: [Shape; names::MAPS.len()] = [
    shape::<FrontendKey, Service>(names::SERVICES, MapType::Hash, names::MAX_SERVICES),
    shape::<u32, Slot>(names::SLOTS, MapType::Array, names::MAX_SLOTS),
    shape::<u32, Backend>(names::BACKENDS, MapType::Array, names::MAX_BACKENDS),
    shape::<FlowKey<[u8; 4]>, FlowEntry<[u8; 4]>>(
        names::FLOWS4,
        MapType::LruHash,
        names::MAX_FLOWS,
    ),
    shape::<FlowKey<[u8; 16]>, FlowEntry<[u8; 16]>>(
        names::FLOWS6,
        MapType::LruHash,
        names::MAX_FLOWS,
    ),
    shape::<Addr, Pod>(names::PODS, MapType::Hash, names::MAX_PODS),
    shape::<u32, Link>(names::LINKS, MapType::Hash, names::MAX_LINKS),
    shape::<u32, u64>(names::COUNTERS, MapType::PerCpuArray, COUNTERS),
    shape::<u32, Meta>(names::META, MapType::Array, 1),
    shape::<u32, Node>(names::NODE, MapType::Array, 1),
    shape::<Prefix, Network>(names::NETWORKS, MapType::LpmTrie, names::MAX_NETWORKS),
    shape::<AffinityKey, Affinity>(names::AFFINITIES, MapType::LruHash, names::MAX_AFFINITIES),
    shape::<SocketKey, SocketEntry>(names::SOCKETS, MapType::LruHash, names::MAX_SOCKETS),
    shape::<aya::maps::lpm_trie::Key<SourceKey>, u32>(
        names::SOURCES,
        MapType::LpmTrie,
        names::MAX_SOURCES,
    ),
    shape::<FragmentKey, Fragmented>(names::FRAGMENTS, MapType::LruHash, names::MAX_FRAGMENTS),
    shape::<u32, u32>(names::TIMEOUTS, MapType::Array, LIVES),
    shape::<u32, u32>(names::UNGUARDED, MapType::Hash, names::MAX_UNGUARDED),
    shape::<FrontendKey, HostPort>(names::HOST_PORTS, MapType::Hash, names::MAX_HOST_PORTS),
    shape::<u32, u32>(names::HOST_PORT_MARKS, MapType::Array, names::MAX_HOST_PORT_MARKS),
];

/// Key of a trie of addresses.
type Prefix = aya::maps::lpm_trie::Key<[u8; 16]>;

#[expect(clippy::cast_possible_truncation, reason = "a constant far below the limit")]
const COUNTERS: u32 = Counter::ALL.len() as u32;

const fn shape<K, V>(name: &'static str, kind: MapType, max_entries: u32) -> Shape {
    Shape { name, max_entries, kind, key: size_of::<K>(), value: size_of::<V>() }
}

/// Compares every map that is pinned with its shape; says whether all are pinned.
///
/// # Errors
/// When one differs or cannot be read.
pub(super) fn check(pins: &Pins) -> Result<bool, LoadError> {
    let mut all = true;
    for shape in SHAPES {
        let path = pins.map(shape.name);
        match pinned(shape.name, &path)? {
            Some(found) if found == shape => {}
            Some(found) => return Err(LoadError::Shape { path, found, expected: shape }),
            None => all = false,
        }
    }
    Ok(all)
}

fn pinned(name: &'static str, path: &Path) -> Result<Option<Shape>, LoadError> {
    let unreadable = |cause| LoadError::Map { path: PathBuf::from(path), cause };
    let info = match MapInfo::from_pin(path) {
        Err(MapError::SyscallError(error)) if error.io_error.kind() == io::ErrorKind::NotFound => {
            return Ok(None);
        }
        read => read.map_err(unreadable)?,
    };
    Ok(Some(Shape {
        name,
        max_entries: info.max_entries(),
        kind: info.map_type().map_err(unreadable)?,
        key: info.key_size() as usize,
        value: info.value_size() as usize,
    }))
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name: _, max_entries, kind, key, value } = self;
        write!(f, "{kind:?} of {max_entries} entries, {key} bytes to {value}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_map_has_a_shape() {
        assert_eq!(SHAPES.map(|shape| shape.name), names::MAPS);
    }
}
