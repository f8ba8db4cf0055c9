//! What the maps hold, and which identifiers and slots that takes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Instant;

use dataplane_common::abi::{
    Addr, Backend, BackendId, FrontendKey, Service, ServiceFlags, ServiceId, Slot,
};
use ipnetwork::IpNetwork;

use super::affinity::Affinity;
use super::{BackendIds, Extents, IdPool};
use crate::maps::dump::extent_length;
use crate::maps::length;
use crate::model::{Protocol, is_exact, keys_at, node_port_range};
use crate::state::{Desired, FamilyPort};

/// What the maps hold.
#[derive(Debug)]
pub struct Realized {
    pub(super) records: BTreeMap<ServiceId, Record>,
    pub(super) names: BTreeMap<FamilyPort, ServiceId>,
    /// Every frontend; its value says whose it is.
    pub(super) frontends: BTreeMap<FrontendKey, Service>,
    /// Addresses of which some port is served, as the map has them, with their flags.
    pub(super) addresses: BTreeMap<Addr, ServiceFlags>,
    /// Backends that were alive at the start and that no slot leads to.
    pub(super) orphans: BTreeMap<BackendId, Backend>,
    pub(super) service_ids: IdPool,
    pub(super) backend_ids: BackendIds,
    pub(super) extents: Extents,
    pub(super) writes: usize,
    pub(super) udp_deaths: usize,
}

/// What one [`FamilyPort`] has.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// Whose it is; none while it was only found in the maps.
    pub(super) name: Option<FamilyPort>,
    pub(super) frontends: BTreeSet<FrontendKey>,
    /// Addresses of frontends it has or was about to get.
    pub(super) addresses: BTreeSet<Addr>,
    pub(super) backends: BTreeMap<SocketAddr, Known>,
    pub(super) affinity: Affinity,
    /// The clients that it lets in.
    pub(super) sources: BTreeSet<IpNetwork>,
    /// Extents by their begin. More than one while frontends are being switched.
    pub(super) extents: BTreeMap<u32, Extent>,
}

/// A backend's identity, and its element of the map if that is the identity's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) id: BackendId,
    pub(super) generation: u16,
    pub(super) written: Option<Backend>,
}

/// A run of slots.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) slots: Vec<Slot>,
    /// Whether the map has them.
    pub(super) is_written: bool,
}

impl Realized {
    /// How many map elements have been written or deleted so far.
    #[must_use]
    pub fn writes(&self) -> usize {
        self.writes
    }

    /// How many backends that may be of UDP have died so far.
    #[must_use]
    pub fn udp_deaths(&self) -> usize {
        self.udp_deaths
    }

    /// Whether a frontend found at the start, and claimed by nobody yet, has backends that are not
    /// desired.
    #[must_use]
    pub fn has_unclaimed_others(&self, desired: &Desired) -> bool {
        let wanted: BTreeSet<_> = desired.backends.iter().map(|backend| backend.at).collect();
        let services = desired.frontends.keys().filter_map(|key| self.frontends.get(key));
        let mut records = services.filter_map(|service| self.records.get(&service.id));
        records.any(|record| {
            record.name.is_none() && record.backends.keys().any(|at| !wanted.contains(at))
        })
    }

    /// The lowest and the highest NodePort in the maps.
    #[must_use]
    pub fn node_port_range(&self) -> Option<(u16, u16)> {
        node_port_range(&self.frontends)
    }

    /// The lowest and the highest cluster IP in the maps within bounds, found without looking at all
    /// of them.
    #[must_use]
    pub fn cluster_ips(&self, bounds: RangeInclusive<Addr>) -> Option<(Addr, Addr)> {
        let is_one = |flags: &ServiceFlags| flags.has(ServiceFlags::CLUSTER_IP);
        let mut found = self.addresses.range(bounds).filter(|(_, flags)| is_one(flags));
        let (first, _) = found.next()?;
        Some((*first, found.next_back().map_or(*first, |(last, _)| *last)))
    }

    /// The identifier of a port that has something.
    pub(super) fn id_of(&self, port: &FamilyPort) -> Option<ServiceId> {
        self.names.get(port).copied()
    }

    /// Records that nobody has claimed.
    pub(super) fn unclaimed(&self) -> Vec<ServiceId> {
        let records = self.records.iter();
        records.filter(|(_, record)| record.name.is_none()).map(|(id, _)| *id).collect()
    }

    /// The frontends for which an address is marked.
    pub(super) fn frontends_at(
        &self,
        addr: Addr,
    ) -> impl Iterator<Item = (&FrontendKey, ServiceFlags)> {
        let there = self.frontends.range(keys_at(addr)).filter(|(key, _)| is_exact(key));
        there.map(|(key, service)| (key, service.flags))
    }

    /// Remembers that the map has this value for a frontend, whoever had it before.
    pub(super) fn note_frontend(&mut self, key: FrontendKey, service: Service) {
        self.forget_frontend(&key);
        self.frontends.insert(key, service);
        let record = self.records.entry(service.id).or_default();
        record.frontends.insert(key);
        if is_exact(&key) {
            record.addresses.insert(key.addr);
        }
    }

    /// Remembers that the map has nothing for a frontend.
    pub(super) fn forget_frontend(&mut self, key: &FrontendKey) {
        let Some(service) = self.frontends.remove(key) else {
            return;
        };
        if let Some(record) = self.records.get_mut(&service.id) {
            record.frontends.remove(key);
        }
    }

    /// Begins of the extents that a record's frontends lead to.
    pub(super) fn extents_in_use(&self, id: ServiceId) -> BTreeSet<u32> {
        let keys = self.records.get(&id).into_iter().flat_map(|record| &record.frontends);
        let services = keys.filter_map(|key| self.frontends.get(key));
        services.filter(|service| extent_length(service) > 0).map(|service| service.base).collect()
    }

    /// Gives back what nothing in the maps leads to any longer.
    pub(super) fn set_aside(&mut self, id: ServiceId, desired: Option<&Desired>, now: Instant) {
        let wanted: BTreeSet<_> = desired
            .iter()
            .flat_map(|desired| &desired.backends)
            .map(|backend| backend.at)
            .collect();
        let in_use = self.extents_in_use(id);
        let Some(record) = self.records.get_mut(&id) else {
            return;
        };
        for (_, known) in record.backends.extract_if(.., |at, _| !wanted.contains(at)) {
            self.backend_ids.give_back(known.id, now);
        }
        for (base, extent) in record.extents.extract_if(.., |base, _| !in_use.contains(base)) {
            self.extents.give_back(base, length(&extent.slots), now);
        }
        let marked = record.frontends.iter().filter(|key| is_exact(key));
        record.addresses = marked.map(|key| key.addr).collect();
        if desired.is_none() {
            let name = self.records.remove(&id).and_then(|record| record.name);
            name.map(|name| self.names.remove(&name));
            self.service_ids.give_back(id.0, now);
        }
    }
}

impl Record {
    /// Whether it is of UDP, as far as is known.
    pub(super) fn may_be_udp(&self) -> bool {
        self.name.as_ref().is_none_or(|name| name.port.protocol == Protocol::Udp)
    }
}
