//! Identifiers and slots for what shall be served, before anything is written.

use std::collections::{BTreeSet, btree_map::Entry};
use std::time::Instant;

use dataplane_common::abi::{Addr, Port, Scopes, Service, ServiceFlags, ServiceId, Slot, names};

use super::realized::{Extent, Known, Record};
use super::{NoRoom, Realized};
use crate::maps::length;
use crate::model::Backend;
use crate::state::{Desired, FamilyPort};

/// What there is too little of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Shortage {
    /// All identifiers of ServicePorts are in use.
    #[error(
        "there are more ServicePorts than the {} of map services; remove some",
        names::MAX_SERVICES
    )]
    Services,
    /// All identifiers of backends are in use.
    #[error(
        "there are more endpoints than the {} of map backends; remove some",
        names::MAX_BACKENDS
    )]
    Backends,
    /// No run of slots is long enough.
    #[error("has no place in map slots: it {0}; remove endpoints or Services")]
    Slots(#[from] NoRoom),
}

/// What the frontends of a port shall stand for, but for their own flags. Its slots are in the
/// port's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) service: Service,
}

impl Target {
    pub(super) fn id(self) -> ServiceId {
        self.service.id
    }
}

impl Realized {
    /// Takes what `desired` needs beyond what `port` has.
    pub(super) fn reserve(
        &mut self,
        port: &FamilyPort,
        desired: &Desired,
        now: Instant,
    ) -> Result<Target, Shortage> {
        let id = self.claim(port, desired, now)?;
        self.drop_abandoned(id, desired, now);
        self.reserve_backends(id, desired, now)?;
        let base = self.reserve_extent(id, desired, now)?;
        let affinity_epoch = self.switch_affinity(id, desired);
        let count = |is_counted: fn(Scopes) -> bool| {
            let scopes = desired.backends.iter().map(|backend| backend.scopes);
            u32::try_from(scopes.filter(|scopes| is_counted(*scopes)).count()).unwrap_or(u32::MAX)
        };
        let service = Service {
            id,
            base,
            local_count: count(|scopes| scopes.has(Scopes::LOCAL)),
            cluster_offset: count(|scopes| scopes == Scopes::LOCAL),
            cluster_count: count(|scopes| scopes.has(Scopes::CLUSTER)),
            affinity_seconds: desired.affinity_seconds.unwrap_or(0),
            affinity_epoch,
            flags: ServiceFlags::default(),
            terminating_count: count(|scopes| scopes == Scopes::default()),
        };
        Ok(Target { service })
    }

    fn switch_affinity(&mut self, id: ServiceId, desired: &Desired) -> u16 {
        let affinity = &mut self.records.entry(id).or_default().affinity;
        affinity.switch(desired.affinity_seconds.is_some());
        affinity.epoch()
    }

    /// The port's record: its own, or what was found at the start at one of its frontends, or new.
    fn claim(
        &mut self,
        port: &FamilyPort,
        desired: &Desired,
        now: Instant,
    ) -> Result<ServiceId, Shortage> {
        if let Some(id) = self.id_of(port) {
            return Ok(id);
        }
        let held = desired.in_order().filter_map(|(key, _)| self.frontends.get(key));
        let found = held
            .map(|service| service.id)
            .find(|id| self.records.get(id).is_some_and(|record| record.name.is_none()));
        let id = match found {
            Some(id) => id,
            None => ServiceId(self.service_ids.take(now).ok_or(Shortage::Services)?),
        };
        self.records.entry(id).or_default().name = Some(port.clone());
        self.names.insert(port.clone(), id);
        Ok(id)
    }

    /// Gives back what an earlier try took, was never written and is not wanted any longer.
    fn drop_abandoned(&mut self, id: ServiceId, desired: &Desired, now: Instant) {
        let wanted: BTreeSet<_> = desired.backends.iter().map(|backend| backend.at).collect();
        let in_use = self.extents_in_use(id);
        let Some(record) = self.records.get_mut(&id) else {
            return;
        };
        let is_abandoned =
            |at: &_, known: &mut Known| known.written.is_none() && !wanted.contains(at);
        for (_, known) in record.backends.extract_if(.., is_abandoned) {
            self.backend_ids.give_back(known.id, now);
        }
        let slots = record.slots_of(&desired.backends);
        let is_abandoned =
            |base: &u32, extent: &mut Extent| !in_use.contains(base) && extent.slots != slots;
        for (base, extent) in record.extents.extract_if(.., is_abandoned) {
            self.extents.give_back(base, length(&extent.slots), now);
        }
    }

    fn reserve_backends(
        &mut self,
        id: ServiceId,
        desired: &Desired,
        now: Instant,
    ) -> Result<(), Shortage> {
        let record = self.records.entry(id).or_default();
        for backend in &desired.backends {
            if let Entry::Vacant(vacant) = record.backends.entry(backend.at) {
                let (id, generation) = self.backend_ids.take(now).ok_or(Shortage::Backends)?;
                vacant.insert(Known { id, generation, written: None });
            }
        }
        Ok(())
    }

    /// An extent that holds just these backends, an old one if there is one.
    fn reserve_extent(
        &mut self,
        id: ServiceId,
        desired: &Desired,
        now: Instant,
    ) -> Result<u32, Shortage> {
        let record = self.records.entry(id).or_default();
        let slots = record.slots_of(&desired.backends);
        if slots.is_empty() {
            return Ok(0);
        }
        let present = record.extents.iter().find(|(_, extent)| extent.slots == slots);
        if let Some((base, _)) = present {
            return Ok(*base);
        }
        let base = self.extents.take(length(&slots), now)?;
        record.extents.insert(base, Extent { slots, is_written: false });
        Ok(base)
    }
}

impl Record {
    /// The slots of these backends; those that have no identity yet are left out.
    fn slots_of(&self, backends: &[Backend]) -> Vec<Slot> {
        let slot = |backend: &Backend| {
            let Known { id, generation, .. } = *self.backends.get(&backend.at)?;
            let (addr, port) = (Addr::from(backend.at.ip()), Port::new(backend.at.port()));
            Some(Slot { addr, port, generation, backend: id, flags: backend.place })
        };
        backends.iter().filter_map(slot).collect()
    }
}
