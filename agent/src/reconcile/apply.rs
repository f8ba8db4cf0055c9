//! Runs plans on the maps and remembers, step by step, what they hold.

use std::time::Instant;

use dataplane_common::abi::{
    Addr, Backend, BackendId, FrontendKey, FrontendKind, Port, Proto, Service, ServiceId,
};

use super::plan::dead;
use super::{Plan, Realized, Step};
use crate::maps::{ApplyError, LbMaps};

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
                let record = self.records.entry(id).or_default();
                if let Some(known) = record.backends.get_mut(&at) {
                    known.written = Some(element);
                }
            }
            Step::WriteSlots { base, slots } => {
                maps.write_slots(base, &slots)?;
                self.writes += slots.len() - 1;
                let record = self.records.entry(id).or_default();
                if let Some(extent) = record.extents.get_mut(&base) {
                    extent.is_written = true;
                }
            }
            Step::PutAddress(addr) => {
                maps.put_service(&address_key(addr), &Service::default())?;
                self.addresses.insert(addr);
                self.records.entry(id).or_default().addresses.insert(addr);
            }
            Step::PutFrontend { key, service } => {
                maps.put_service(&key, &service)?;
                self.note_frontend(key, service);
            }
            Step::DeleteFrontend(key) => {
                delete(&key, maps)?;
                self.forget_frontend(&key);
            }
            Step::DeleteAddress(addr) => {
                delete(&address_key(addr), maps)?;
                self.addresses.remove(&addr);
            }
        }
        self.writes += 1;
        Ok(())
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
            self.orphans.remove(&id);
            self.backend_ids.give_back(id, now);
        }
        let marked = self.addresses.iter().copied();
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
fn delete(key: &FrontendKey, maps: &mut impl LbMaps) -> Result<(), ApplyError> {
    match maps.delete_service(key) {
        Ok(()) | Err(ApplyError::NotFound { .. }) => Ok(()),
        Err(error @ (ApplyError::Full { .. } | ApplyError::Kernel { .. })) => Err(error),
    }
}
