//! Runs plans on the maps and remembers, step by step, what they hold.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Instant;

use dataplane_common::abi::{
    Addr, Backend, BackendId, FrontendKey, FrontendKind, Port, Proto, Service, ServiceFlags,
    ServiceId,
};
use ipnetwork::IpNetwork;

use super::plan::dead;
use super::{Plan, Realized, Step};
use crate::maps::dump::is_dead;
use crate::maps::{ApplyError, LbMaps, Source};

impl Realized {
    /// Runs a plan for the record of `id`, up to the first step that fails.
    pub(super) fn apply(
        &mut self,
        id: ServiceId,
        plan: Plan,
        maps: &mut impl LbMaps,
    ) -> Result<(), ApplyError> {
        let Plan(steps) = plan;
        steps.into_iter().try_for_each(|step| self.apply_step(id, step, maps))
    }

    fn apply_step(
        &mut self,
        id: ServiceId,
        step: Step,
        maps: &mut impl LbMaps,
    ) -> Result<(), ApplyError> {
        match step {
            Step::WriteBackend { at, id: backend, element } => {
                maps.write_backend(backend, &element)?;
                self.note_backend(id, at, element);
            }
            Step::WriteSlots { base, slots } => {
                maps.write_slots(base, &slots)?;
                self.writes += slots.len() - 1;
                let record = self.records.entry(id).or_default();
                if let Some(extent) = record.extents.get_mut(&base) {
                    extent.is_written = true;
                }
            }
            Step::PutAddress { addr, flags } => {
                self.mark(id, addr, flags, maps)?;
            }
            Step::PutSource(network) => {
                maps.put_source(Source { service: id, network })?;
                self.sources_of(id).insert(network);
            }
            Step::DeleteSource(network) => {
                gone(maps.delete_source(Source { service: id, network }))?;
                self.sources_of(id).remove(&network);
            }
            Step::PutFrontend { key, service } => {
                maps.put_service(&key, &service)?;
                self.note_frontend(key, service);
            }
            Step::DeleteFrontend(key) => {
                gone(maps.delete_service(&key))?;
                self.forget_frontend(&key);
            }
            Step::DeleteAddress(addr) => {
                gone(maps.delete_service(&address_key(addr)))?;
                self.addresses.remove(&addr);
            }
        }
        self.writes += 1;
        Ok(())
    }

    fn note_backend(&mut self, id: ServiceId, at: SocketAddr, element: Backend) {
        let record = self.records.entry(id).or_default();
        let known = record.backends.get_mut(&at);
        known.into_iter().for_each(|known| known.written = Some(element));
        self.udp_deaths += usize::from(is_dead(&element) && record.may_be_udp());
    }

    fn mark(
        &mut self,
        id: ServiceId,
        addr: Addr,
        flags: ServiceFlags,
        maps: &mut impl LbMaps,
    ) -> Result<(), ApplyError> {
        maps.put_service(&address_key(addr), &Service { flags, ..Service::default() })?;
        self.addresses.insert(addr, flags);
        self.records.entry(id).or_default().addresses.insert(addr);
        Ok(())
    }

    fn sources_of(&mut self, id: ServiceId) -> &mut BTreeSet<IpNetwork> {
        &mut self.records.entry(id).or_default().sources
    }

    /// Ends what was found at the start and belongs to no record.
    pub(super) fn apply_orphans(
        &mut self,
        maps: &mut impl LbMaps,
        now: Instant,
    ) -> Result<(), ApplyError> {
        while let Some((id, Backend { generation, .. })) = self.orphans.first_key_value() {
            let (id, generation): (BackendId, u16) = (*id, *generation);
            maps.write_backend(id, &dead(generation))?;
            self.writes += 1;
            self.udp_deaths += 1;
            self.orphans.remove(&id);
            self.backend_ids.give_back(id, now);
        }
        let marked = self.addresses.keys().copied();
        let bare: Vec<_> =
            marked.filter(|addr| self.frontends_at(*addr).next().is_none()).collect();
        for addr in bare {
            self.apply_step(ServiceId::default(), Step::DeleteAddress(addr), maps)?;
        }
        Ok(())
    }
}

/// The key that marks an address.
pub(super) fn address_key(addr: Addr) -> FrontendKey {
    let kind = FrontendKind::Address.number();
    FrontendKey { addr, port: Port::new(0), proto: Proto(0), kind }
}

/// What is gone already need not be deleted.
fn gone(deleted: Result<(), ApplyError>) -> Result<(), ApplyError> {
    match deleted {
        Ok(()) | Err(ApplyError::NotFound { .. }) => Ok(()),
        Err(error @ (ApplyError::Full { .. } | ApplyError::Kernel { .. })) => Err(error),
    }
}
