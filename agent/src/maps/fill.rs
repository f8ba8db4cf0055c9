//! How full the tables are, and what the programs counted.

use std::collections::{BTreeMap, BTreeSet};

use aya::Pod;
use aya::maps::{HashMap, Map, MapData, MapInfo, PerCpuArray};
use dataplane_common::abi::{
    Addr, Affinity, AffinityKey, Counter, FlowEntry, FlowKey, FragmentKey, Fragmented,
    FrontendKind, Link, Pod as PodEntry, SocketEntry, SocketKey, names,
};
use hostnet::Pins;
use serde::Serialize;

use super::dump::{extent_length, is_dead};
use super::kernel::{KernelMaps, hash, pinned, read};
use super::{LbMaps as _, Result, networks};
use crate::loader::SHAPES;

/// One table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct MapUse {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its identifier in the kernel.
    pub(crate) id: u32,
    /// Entries in use.
    pub(crate) used: usize,
    /// Most entries.
    pub(crate) limit: u32,
}

/// The fill of every table that can fill.
pub(crate) fn fill(pins: &Pins) -> Result<Vec<MapUse>> {
    let used = used(pins)?;
    let mut fill = Vec::new();
    for shape in SHAPES {
        let Some(&used) = used.get(shape.name) else { continue };
        let info = MapInfo::from_pin(pins.map(shape.name)).map_err(read(shape.name))?;
        fill.push(MapUse { name: shape.name, id: info.id(), used, limit: info.max_entries() });
    }
    Ok(fill)
}

fn used(pins: &Pins) -> Result<BTreeMap<&'static str, usize>> {
    let maps = KernelMaps::open(pins)?;
    let services = maps.services()?;
    let mark = FrontendKind::Address.number();
    let frontends = services.iter().filter(|(key, _)| key.kind != mark);
    let extents: BTreeSet<_> =
        frontends.map(|(_, service)| (service.base, extent_length(service) as usize)).collect();
    let alive = maps.backends()?.iter().filter(|(_, backend)| !is_dead(backend)).count();
    Ok(BTreeMap::from([
        (names::SERVICES, services.len()),
        (names::SLOTS, extents.iter().map(|(_, length)| length).sum()),
        (names::BACKENDS, alive),
        (names::FLOWS4, lru::<FlowKey<[u8; 4]>, FlowEntry<[u8; 4]>>(pins, names::FLOWS4)?),
        (names::FLOWS6, lru::<FlowKey<[u8; 16]>, FlowEntry<[u8; 16]>>(pins, names::FLOWS6)?),
        (names::PODS, count(&hash::<Addr, PodEntry>(pins, names::PODS)?, names::PODS)?),
        (names::LINKS, count(&hash::<u32, Link>(pins, names::LINKS)?, names::LINKS)?),
        (names::NETWORKS, networks::count(pins)?),
        (names::AFFINITIES, lru::<AffinityKey, Affinity>(pins, names::AFFINITIES)?),
        (names::FRAGMENTS, lru::<FragmentKey, Fragmented>(pins, names::FRAGMENTS)?),
        (names::SOURCES, maps.sources()?.len()),
        (names::UNGUARDED, count(&hash::<u32, u32>(pins, names::UNGUARDED)?, names::UNGUARDED)?),
        (names::SOCKETS, lru::<SocketKey, SocketEntry>(pins, names::SOCKETS)?),
    ]))
}

fn lru<K: Pod, V: Pod>(pins: &Pins, name: &'static str) -> Result<usize> {
    let entries = HashMap::<_, K, V>::try_from(Map::LruHashMap(pinned(pins, name)?));
    count(&entries.map_err(read(name))?, name)
}

fn count<K: Pod, V: Pod>(map: &HashMap<MapData, K, V>, name: &'static str) -> Result<usize> {
    let keys: std::result::Result<Vec<K>, _> = map.keys().collect();
    keys.map(|keys| keys.len()).map_err(read(name))
}

/// Every counter, summed over CPUs, by its name.
pub(crate) fn counters(pins: &Pins) -> Result<BTreeMap<&'static str, u64>> {
    let failed = read(names::COUNTERS);
    let data = pinned(pins, names::COUNTERS)?;
    let counters = PerCpuArray::<_, u64>::try_from(Map::PerCpuArray(data)).map_err(&failed)?;
    let mut sums = BTreeMap::new();
    for counter in Counter::ALL {
        let values = counters.get(&counter.index(), 0).map_err(&failed)?;
        sums.insert(counter.as_str(), values.iter().sum());
    }
    Ok(sums)
}
