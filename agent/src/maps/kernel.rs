//! The pinned maps of Services in the kernel.

use std::io;
use std::ops::Range;
use std::os::fd::AsFd as _;

use aya::Pod;
use aya::maps::lpm_trie::LpmTrie;
use aya::maps::{Array, HashMap, IterableMap as _, Map, MapData, MapError};
use dataplane_common::abi::{
    Backend, BackendId, FrontendKey, Node, Service, Slot, SourceKey, names,
};
use hostnet::Pins;

use super::batch::read_array;
use super::{ApplyError, Bounds, Capacity, LbMaps, Result, Source};

/// The pinned maps `services`, `slots`, `backends`, `sources` and `node`.
pub struct KernelMaps {
    services: HashMap<MapData, FrontendKey, Service>,
    slots: Array<MapData, Slot>,
    backends: Array<MapData, Backend>,
    sources: LpmTrie<MapData, SourceKey, u32>,
    node: Array<MapData, Node>,
    capacity: Capacity,
}

impl KernelMaps {
    /// Opens the maps, whose shapes must have been checked.
    ///
    /// # Errors
    /// When one is not pinned or the kernel refuses.
    pub fn open(pins: &Pins) -> Result<Self> {
        let capacity = Capacity {
            slots: names::MAX_SLOTS,
            backends: names::MAX_BACKENDS,
            services: names::MAX_SERVICES,
            sources: names::MAX_SOURCES,
        };
        Ok(Self {
            services: hash(pins, names::SERVICES)?,
            slots: array(pins, names::SLOTS)?,
            backends: array(pins, names::BACKENDS)?,
            sources: LpmTrie::try_from(Map::LpmTrie(pinned(pins, names::SOURCES)?))
                .map_err(read(names::SOURCES))?,
            node: array(pins, names::NODE)?,
            capacity,
        })
    }
}

impl LbMaps for KernelMaps {
    fn capacity(&self) -> Capacity {
        self.capacity
    }

    fn services(&self) -> Result<Vec<(FrontendKey, Service)>> {
        self.services.iter().map(|entry| entry.map_err(read(names::SERVICES))).collect()
    }

    fn put_service(&mut self, key: &FrontendKey, value: &Service) -> Result<()> {
        self.services.insert(key, value, 0).map_err(write(names::SERVICES))
    }

    fn delete_service(&mut self, key: &FrontendKey) -> Result<()> {
        self.services.remove(key).map_err(failed(names::SERVICES, "delete from"))
    }

    fn slots(&self, range: Range<u32>) -> Result<Vec<Slot>> {
        let slot = |index| self.slots.get(&index, 0).map_err(read(names::SLOTS));
        range.map(slot).collect()
    }

    fn write_slots(&mut self, base: u32, slots: &[Slot]) -> Result<()> {
        let mut indexed = (base..).zip(slots);
        indexed.try_for_each(|(index, slot)| {
            self.slots.set(index, slot, 0).map_err(write(names::SLOTS))
        })
    }

    fn backends(&self) -> Result<Vec<(BackendId, Backend)>> {
        let (map, operation) = (names::BACKENDS, "read");
        let all = read_array(self.backends.map().fd().as_fd());
        let all = all.map_err(|source| ApplyError::Kernel { map, operation, source })?;
        let written = (0..).map(BackendId).zip(all);
        Ok(written.filter(|(_, backend)| *backend != Backend::default()).collect())
    }

    fn write_backend(&mut self, id: BackendId, backend: &Backend) -> Result<()> {
        self.backends.set(id.0, backend, 0).map_err(write(names::BACKENDS))
    }

    fn sources(&self) -> Result<Vec<Source>> {
        let keys = self.sources.keys().map(|key| key.map_err(read(names::SOURCES)));
        let known = keys.filter_map(|key| key.map(|key| Source::of(&key)).transpose());
        known.collect()
    }

    fn put_source(&mut self, source: Source) -> Result<()> {
        self.sources.insert(&source.key(), 0, 0).map_err(failed_to_fit)
    }

    fn delete_source(&mut self, source: Source) -> Result<()> {
        self.sources.remove(&source.key()).map_err(failed(names::SOURCES, "delete from"))
    }

    fn bound(&mut self, bounds: &Bounds) -> Result<()> {
        let node = self.node.get(&0, 0).map_err(read(names::NODE))?;
        self.node.set(0, bounds.told(node), 0).map_err(write(names::NODE))
    }
}

/// The data of a pinned map.
///
/// # Errors
/// When it is not pinned or the kernel refuses.
pub(crate) fn pinned(pins: &Pins, name: &'static str) -> Result<MapData> {
    MapData::from_pin(pins.map(name)).map_err(read(name))
}

/// A pinned array.
///
/// # Errors
/// When it is not pinned or the kernel refuses.
pub(crate) fn array<V: Pod>(pins: &Pins, name: &'static str) -> Result<Array<MapData, V>> {
    Array::try_from(Map::Array(pinned(pins, name)?)).map_err(read(name))
}

/// A pinned hash.
///
/// # Errors
/// When it is not pinned or the kernel refuses.
pub(crate) fn hash<K: Pod, V: Pod>(
    pins: &Pins,
    name: &'static str,
) -> Result<HashMap<MapData, K, V>> {
    HashMap::try_from(Map::HashMap(pinned(pins, name)?)).map_err(read(name))
}

/// Names a failed read of a map.
pub(crate) fn read(map: &'static str) -> impl Fn(MapError) -> ApplyError {
    failed(map, "read")
}

/// Names a failed write to a map.
pub(crate) fn write(map: &'static str) -> impl Fn(MapError) -> ApplyError {
    failed(map, "write to")
}

/// A trie that takes no more keys says so by an error of its own.
fn failed_to_fit(error: MapError) -> ApplyError {
    match error {
        MapError::SyscallError(error)
            if error.io_error.raw_os_error() == Some(rustix::io::Errno::NOSPC.raw_os_error()) =>
        {
            ApplyError::Full { map: names::SOURCES }
        }
        other => write(names::SOURCES)(other),
    }
}

fn failed(map: &'static str, operation: &'static str) -> impl Fn(MapError) -> ApplyError {
    move |error| {
        let source = match error {
            MapError::KeyNotFound | MapError::ElementNotFound | MapError::OutOfBounds { .. } => {
                return ApplyError::NotFound { map };
            }
            MapError::SyscallError(error) => error.io_error,
            other => io::Error::other(other),
        };
        match source.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
            // A hash that takes no more keys, and one whose memory is used up.
            Some(rustix::io::Errno::TOOBIG | rustix::io::Errno::NOMEM) => ApplyError::Full { map },
            Some(rustix::io::Errno::NOENT) => ApplyError::NotFound { map },
            _ => ApplyError::Kernel { map, operation, source },
        }
    }
}
