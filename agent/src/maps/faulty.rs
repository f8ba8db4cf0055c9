//! Maps on which a part of all operations fails, for tests.

use std::cell::Cell;
use std::io;
use std::ops::Range;

use dataplane_common::abi::{Backend, BackendId, FrontendKey, Service, Slot, names};

use super::{ApplyError, Bounds, Capacity, LbMaps, Result, Source};

/// Maps that fail one operation in ten. Reads at a restart fail too.
#[derive(Debug)]
pub struct FaultyMaps<M> {
    inner: M,
    seed: Cell<u64>,
    healthy: Cell<bool>,
}

impl<M> FaultyMaps<M> {
    /// Maps over `inner`; the same seed gives the same failures.
    pub fn new(inner: M, seed: u64) -> Self {
        Self { inner, seed: Cell::new(seed), healthy: Cell::new(false) }
    }

    /// Maps that stop failing, or fail again.
    pub fn set_healthy(&self, healthy: bool) {
        self.healthy.set(healthy);
    }

    /// What really is in the maps.
    pub fn inner(&self) -> &M {
        &self.inner
    }

    /// What really is in the maps, to be changed past all failures.
    pub fn inner_mut(&mut self) -> &mut M {
        &mut self.inner
    }

    fn try_luck(&self, map: &'static str, operation: &'static str) -> Result<()> {
        // SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
        let state = self.seed.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.seed.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        if self.healthy.get() || !(mixed ^ (mixed >> 31)).is_multiple_of(10) {
            return Ok(());
        }
        let source = io::Error::other("injected failure");
        Err(ApplyError::Kernel { map, operation, source })
    }
}

impl<M: LbMaps> LbMaps for FaultyMaps<M> {
    fn capacity(&self) -> Capacity {
        self.inner.capacity()
    }

    fn services(&self) -> Result<Vec<(FrontendKey, Service)>> {
        self.try_luck(names::SERVICES, "read")?;
        self.inner.services()
    }

    fn put_service(&mut self, key: &FrontendKey, value: &Service) -> Result<()> {
        self.try_luck(names::SERVICES, "write to")?;
        self.inner.put_service(key, value)
    }

    fn delete_service(&mut self, key: &FrontendKey) -> Result<()> {
        self.try_luck(names::SERVICES, "delete from")?;
        self.inner.delete_service(key)
    }

    fn slots(&self, range: Range<u32>) -> Result<Vec<Slot>> {
        self.try_luck(names::SLOTS, "read")?;
        self.inner.slots(range)
    }

    fn write_slots(&mut self, base: u32, slots: &[Slot]) -> Result<()> {
        let luck = self.try_luck(names::SLOTS, "write to");
        let written = if luck.is_ok() { slots } else { &slots[..slots.len() / 2] };
        self.inner.write_slots(base, written)?;
        luck
    }

    fn backends(&self) -> Result<Vec<(BackendId, Backend)>> {
        self.try_luck(names::BACKENDS, "read")?;
        self.inner.backends()
    }

    fn write_backend(&mut self, id: BackendId, backend: &Backend) -> Result<()> {
        self.try_luck(names::BACKENDS, "write to")?;
        self.inner.write_backend(id, backend)
    }

    fn sources(&self) -> Result<Vec<Source>> {
        self.try_luck(names::SOURCES, "read")?;
        self.inner.sources()
    }

    fn put_source(&mut self, source: Source) -> Result<()> {
        self.try_luck(names::SOURCES, "write to")?;
        self.inner.put_source(source)
    }

    fn delete_source(&mut self, source: Source) -> Result<()> {
        self.try_luck(names::SOURCES, "delete from")?;
        self.inner.delete_source(source)
    }

    fn bound(&mut self, bounds: &Bounds) -> Result<()> {
        self.try_luck(names::NODE, "write to")?;
        self.inner.bound(bounds)
    }
}
