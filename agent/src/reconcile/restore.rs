//! What the maps hold, found again after a restart from their contents alone.
//!
//! Names are not in the maps: a record stays without one until a port claims one of its frontends.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use dataplane_common::abi::{FrontendKey, FrontendKind, Service, ServiceId, Slot};

use super::affinity::Affinity;
use super::realized::{Extent, Known};
use super::{BackendIds, Extents, IdPool, Realized};
use crate::maps::dump::{extent_length, is_dead};
use crate::maps::{ApplyError, LbMaps, Source};

impl Realized {
    /// Reads the maps. Writes nothing.
    ///
    /// # Errors
    /// When a map cannot be read.
    pub fn restore(maps: &impl LbMaps) -> Result<Self, ApplyError> {
        let capacity = maps.capacity();
        let elements: BTreeMap<_, _> = maps.backends()?.into_iter().collect();
        let (marks, frontends): (Vec<_>, Vec<_>) = maps
            .services()?
            .into_iter()
            .partition(|(key, _)| key.kind == FrontendKind::Address.number());
        let sources = maps.sources()?;
        let service_ids = frontends.iter().map(|(_, service)| service.id.0);
        let service_ids =
            service_ids.chain(sources.iter().map(|source| source.service.0)).collect();
        let alive = elements.iter().filter(|(_, element)| !is_dead(element));
        let alive: BTreeMap<_, _> = alive.map(|(id, element)| (*id, *element)).collect();
        let backend_ids = alive.keys().map(|id| id.0).collect();
        let generations = elements.iter().map(|(id, element)| (*id, element.generation));
        let mut realized = Self {
            records: BTreeMap::new(),
            names: BTreeMap::new(),
            frontends: BTreeMap::new(),
            addresses: marks.iter().map(|(key, mark)| (key.addr, mark.flags)).collect(),
            orphans: alive,
            service_ids: IdPool::restore(&service_ids, capacity.services.saturating_mul(2)),
            backend_ids: BackendIds::restore(&backend_ids, generations, capacity.backends),
            extents: Extents::new(capacity.slots),
            writes: 0,
            udp_deaths: 0,
        };
        realized.restore_records(frontends, maps)?;
        for Source { service, network } in sources {
            realized.records.entry(service).or_default().sources.insert(network);
        }
        Ok(realized)
    }

    fn restore_records(
        &mut self,
        frontends: Vec<(FrontendKey, Service)>,
        maps: &impl LbMaps,
    ) -> Result<(), ApplyError> {
        let extents: BTreeSet<_> = frontends
            .iter()
            .map(|(_, service)| (service.id, service.base, extent_length(service)))
            .collect();
        for (key, service) in frontends {
            self.note_frontend(key, service);
            let found = Affinity::of(&service);
            let record = self.records.entry(service.id).or_default();
            let known = record.frontends.len() > 1;
            record.affinity = if known { record.affinity.or_newer(found) } else { found };
        }
        for (id, base, count) in extents.into_iter().filter(|(_, _, count)| *count > 0) {
            // What is no run of its own is damaged: its frontends are written anew.
            if self.extents.claim(base, count) {
                let slots = maps.slots(base..base.saturating_add(count))?;
                self.restore_extent(id, base, slots);
            }
        }
        Ok(())
    }

    fn restore_extent(&mut self, id: ServiceId, base: u32, slots: Vec<Slot>) {
        let record = self.records.entry(id).or_default();
        for slot in &slots {
            let Slot { addr, port, generation, backend, flags: _ } = *slot;
            let at = SocketAddr::new(addr.to_ip(), port.number());
            let own = self.orphans.get(&backend).filter(|own| own.generation == generation);
            if let Some(written) = own.copied()
                && !record.backends.contains_key(&at)
            {
                record
                    .backends
                    .insert(at, Known { id: backend, generation, written: Some(written) });
                self.orphans.remove(&backend);
            }
        }
        record.extents.insert(base, Extent { slots, is_written: true });
    }
}
