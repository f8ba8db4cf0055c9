//! Which writes lead from what the maps hold to what they shall hold, in an order that no packet
//! suffers from. What is right already is not written.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use dataplane_common::abi::{
    Addr, Backend as Element, BackendId, BackendState, FrontendKey, Scopes, Service, ServiceFlags,
    ServiceId, Slot,
};
use ipnetwork::IpNetwork;

use super::Realized;
use super::realized::{Known, Record};
use super::reserve::Target;
use crate::maps::dump::is_dead;
use crate::model::{Backend, is_exact};
use crate::state::Desired;

/// Writes for one port, to be done in this order and no further than the first that fails.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Plan(pub Vec<Step>);

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Sets the state of the backend at an address.
    WriteBackend {
        /// Where it is.
        at: SocketAddr,
        /// Its identity.
        id: BackendId,
        /// Its state.
        element: Element,
    },
    /// Fills an extent that no frontend leads to.
    WriteSlots {
        /// Its begin.
        base: u32,
        /// Its contents.
        slots: Vec<Slot>,
    },
    /// Marks an address as one that is served.
    PutAddress {
        /// The address.
        addr: Addr,
        /// Whether it is a cluster IP.
        flags: ServiceFlags,
    },
    /// Lets clients in.
    PutSource(IpNetwork),
    /// Lets them in no longer.
    DeleteSource(IpNetwork),
    /// Switches a frontend.
    PutFrontend {
        /// The frontend.
        key: FrontendKey,
        /// What it stands for from then on.
        service: Service,
    },
    /// Takes a frontend out.
    DeleteFrontend(FrontendKey),
    /// Unmarks an address of which no port is served any longer.
    DeleteAddress(Addr),
}

/// What makes the frontends lead to the target: nothing is taken away.
pub(super) fn make(desired: &Desired, target: &Target, realized: &Realized) -> Plan {
    let service = target.service;
    let mut steps = Vec::new();
    if let Some(record) = realized.records.get(&service.id) {
        steps.extend(desired.backends.iter().filter_map(|backend| admit(backend, record)));
        let unwritten = record.extents.get(&service.base).filter(|extent| !extent.is_written);
        steps.extend(
            unwritten
                .map(|extent| Step::WriteSlots { base: service.base, slots: extent.slots.clone() }),
        );
    }
    steps.extend(addresses(desired).into_iter().filter_map(|addr| mark(addr, desired, realized)));
    let let_in = realized.records.get(&service.id).map(|record| &record.sources);
    let shut_out = desired.sources.iter().filter(|it| !let_in.is_some_and(|has| has.contains(it)));
    steps.extend(shut_out.copied().map(Step::PutSource));
    let wanted = desired
        .in_order()
        .map(|(key, frontend)| (*key, Service { flags: frontend.flags, ..service }));
    let stale = wanted.filter(|(key, service)| realized.frontends.get(key) != Some(service));
    steps.extend(stale.map(|(key, service)| Step::PutFrontend { key, service }));
    Plan(steps)
}

/// What takes away, after all was made, that which is not desired.
pub(super) fn retire(id: ServiceId, desired: Option<&Desired>, realized: &Realized) -> Plan {
    let Some(record) = realized.records.get(&id) else {
        return Plan::default();
    };
    let wanted =
        |key: &FrontendKey| desired.is_some_and(|desired| desired.frontends.contains_key(key));
    let unwanted: Vec<_> = record.frontends.iter().copied().filter(|key| !wanted(key)).collect();
    let mut steps: Vec<_> = unwanted.iter().copied().map(Step::DeleteFrontend).collect();
    steps.extend(record.addresses.iter().filter_map(|addr| unmark(*addr, &unwanted, realized)));
    let let_in = |network: &&IpNetwork| desired.is_some_and(|it| it.sources.contains(network));
    let shut_out = record.sources.iter().filter(|network| !let_in(network));
    steps.extend(shut_out.copied().map(Step::DeleteSource));
    let backends = desired.map_or(&[][..], |desired| &desired.backends);
    steps.extend(backends.iter().filter_map(|backend| write_backend(backend, record)));
    let kept: BTreeSet<_> = backends.iter().map(|backend| backend.at).collect();
    let left = record.backends.iter().filter(|(at, _)| !kept.contains(at));
    steps.extend(left.filter_map(|(at, known)| kill(*at, known)));
    Plan(steps)
}

/// The element of a backend whose flows must choose again.
pub(super) fn dead(generation: u16) -> Element {
    Element { generation, state: BackendState::Dead.number(), scopes: Scopes::default() }
}

/// The addresses that are marked because some port of them is served.
fn addresses(desired: &Desired) -> BTreeSet<Addr> {
    desired.frontends.keys().filter(|key| is_exact(key)).map(|key| key.addr).collect()
}

/// The write that brings a backend into its sets, if it is not there. Those that it leaves it is in
/// until no frontend offers it there any longer.
fn admit(backend: &Backend, record: &Record) -> Option<Step> {
    let known = record.backends.get(&backend.at)?;
    let active =
        |element: &Element| BackendState::from_number(element.state) == BackendState::Active;
    let had = known.written.filter(active).map_or(Scopes::default(), |element| element.scopes);
    let is_active = backend.state() == BackendState::Active;
    is_active.then(|| write(&Backend { scopes: had.union(backend.scopes), ..*backend }, known))?
}

/// The write that gives a backend its state, if it has another one.
fn write_backend(backend: &Backend, record: &Record) -> Option<Step> {
    write(backend, record.backends.get(&backend.at)?)
}

fn write(backend: &Backend, known: &Known) -> Option<Step> {
    let Known { id, generation, written } = *known;
    let element = Element { generation, state: backend.state().number(), scopes: backend.scopes };
    (written != Some(element)).then_some(Step::WriteBackend { at: backend.at, id, element })
}

fn kill(at: SocketAddr, known: &Known) -> Option<Step> {
    let Known { id, generation, written } = *known;
    let is_alive = written.is_some_and(|element| !is_dead(&element));
    is_alive.then(|| Step::WriteBackend { at, id, element: dead(generation) })
}

/// The write that marks an address before ports of it are served, if it is not marked so.
fn mark(addr: Addr, desired: &Desired, realized: &Realized) -> Option<Step> {
    let wanted = desired.frontends.iter().filter(|(key, _)| key.addr == addr && is_exact(key));
    let wanted = wanted.map(|(_, frontend)| frontend.flags);
    let others =
        realized.frontends_at(addr).filter(|(key, _)| !desired.frontends.contains_key(key));
    let flags = mark_flags(wanted.chain(others.map(|(_, flags)| flags)));
    let is_other = realized.addresses.get(&addr) != Some(&flags);
    is_other.then_some(Step::PutAddress { addr, flags })
}

/// The write that makes the mark of an address right once `unwanted` frontends are gone, if it is
/// not.
fn unmark(addr: Addr, unwanted: &[FrontendKey], realized: &Realized) -> Option<Step> {
    let before = realized.addresses.get(&addr)?;
    let left = realized.frontends_at(addr).filter(|(key, _)| !unwanted.contains(key));
    let mut left = left.map(|(_, flags)| flags).peekable();
    if left.peek().is_none() {
        return Some(Step::DeleteAddress(addr));
    }
    let flags = mark_flags(left);
    (flags != *before).then_some(Step::PutAddress { addr, flags })
}

/// An address is a cluster IP where some frontend of it is one.
fn mark_flags(mut frontends: impl Iterator<Item = ServiceFlags>) -> ServiceFlags {
    if frontends.any(|flags| !flags.has(ServiceFlags::EXTERNAL)) {
        ServiceFlags::CLUSTER_IP
    } else {
        ServiceFlags::default()
    }
}
