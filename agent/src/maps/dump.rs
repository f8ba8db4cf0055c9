//! What the maps hold, as text: one line for each entry, sorted, the same for the same contents.
//!
//! Slots that no frontend reaches and dead backends are left out: nothing leads to them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::SocketAddr;

use dataplane_common::abi::{
    Backend, BackendId, BackendState, FrontendKey, FrontendKind, Scopes, Service, ServiceFlags,
    Slot, SlotFlags,
};

use super::{LbMaps, Result, Source};
use crate::model::frontend_text;

/// Dumps the maps of Services.
///
/// # Errors
/// When a map cannot be read.
pub fn dump(maps: &impl LbMaps) -> Result<String> {
    let mut services = maps.services()?;
    services.sort_unstable();
    let mut text = String::new();
    for (key, service) in &services {
        line(&mut text, &service_line(key, service));
    }
    let extents: BTreeSet<_> =
        services.iter().map(|(_, service)| (service.base, extent_length(service))).collect();
    for (base, length) in extents {
        for (index, slot) in (base..).zip(maps.slots(base..base.saturating_add(length))?) {
            line(&mut text, &slot_line(index, &slot));
        }
    }
    let mut backends = maps.backends()?;
    backends.retain(|(_, backend)| !is_dead(backend));
    backends.sort_unstable_by_key(|(id, _)| *id);
    for (id, backend) in backends {
        line(&mut text, &backend_line(id, backend));
    }
    let mut sources = maps.sources()?;
    sources.sort_unstable();
    for Source { service, network } in sources {
        line(&mut text, &format!("source {} {network}", service.0));
    }
    Ok(text)
}

/// How many slots a frontend's extent has.
#[must_use]
pub fn extent_length(service: &Service) -> u32 {
    let Service { cluster_offset, cluster_count, terminating_count, .. } = *service;
    cluster_offset.saturating_add(cluster_count).saturating_add(terminating_count)
}

/// Whether flows of this backend must choose again.
#[must_use]
pub fn is_dead(backend: &Backend) -> bool {
    BackendState::from_number(backend.state) == BackendState::Dead
}

/// The name of a backend's state.
#[must_use]
pub const fn state_text(state: BackendState) -> &'static str {
    match state {
        BackendState::Dead => "dead",
        BackendState::Active => "active",
        BackendState::Terminating => "terminating",
    }
}

/// The sets' names: `local+cluster`, or `-` for none.
#[must_use]
pub fn scopes_text(scopes: Scopes) -> &'static str {
    match (scopes.has(Scopes::LOCAL), scopes.has(Scopes::CLUSTER)) {
        (true, true) => "local+cluster",
        (true, false) => "local",
        (false, true) => "cluster",
        (false, false) => "-",
    }
}

/// The traffic policy that holds for a frontend.
#[must_use]
pub const fn traffic_policy(flags: ServiceFlags) -> &'static str {
    if flags.has(ServiceFlags::INTERNAL_LOCAL) || flags.has(ServiceFlags::EXTERNAL_LOCAL) {
        "Local"
    } else {
        "Cluster"
    }
}

/// The names of a frontend's switches, each after a blank.
#[must_use]
pub fn flags_text(flags: ServiceFlags) -> String {
    let names = [
        (ServiceFlags::INTERNAL_LOCAL, " internal-local"),
        (ServiceFlags::EXTERNAL, " external"),
        (ServiceFlags::EXTERNAL_LOCAL, " external-local"),
        (ServiceFlags::KEEP_CLIENT, " keep-client"),
        (ServiceFlags::SOURCE_RANGES, " source-ranges"),
    ];
    names.into_iter().filter(|(flag, _)| flags.has(*flag)).map(|(_, name)| name).collect()
}

/// Where a backend is: ` local`, ` other-node` or nothing.
#[must_use]
pub const fn place_text(flags: SlotFlags) -> &'static str {
    if flags.has(SlotFlags::LOCAL) {
        " local"
    } else if flags.has(SlotFlags::OTHER_NODE) {
        " other-node"
    } else {
        ""
    }
}

fn service_line(key: &FrontendKey, service: &Service) -> String {
    if key.kind == FrontendKind::Address.number() {
        let cluster_ip = service.flags.has(ServiceFlags::CLUSTER_IP);
        let kind = if cluster_ip { "" } else { " external" };
        return format!("address {}{kind}", key.addr.to_ip());
    }
    let Service {
        id,
        base,
        local_count,
        cluster_offset,
        cluster_count,
        affinity_seconds,
        affinity_epoch,
        flags,
        terminating_count,
    } = *service;
    let affinity = match (affinity_seconds, affinity_epoch) {
        (0, 0) => String::new(),
        (seconds, epoch) => format!(" affinity={seconds}s epoch={epoch}"),
    };
    format!(
        "service {} id={} base={base} local={local_count} cluster={cluster_offset}+{cluster_count} \
         terminating={terminating_count}{}{affinity}",
        frontend_text(key),
        id.0,
        flags_text(flags),
    )
}

fn slot_line(index: u32, slot: &Slot) -> String {
    let Slot { addr, port, generation, backend, flags } = *slot;
    let at = SocketAddr::new(addr.to_ip(), port.number());
    format!("slot {index} {at} backend={} generation={generation}{}", backend.0, place_text(flags))
}

fn backend_line(id: BackendId, backend: Backend) -> String {
    let Backend { generation, state, scopes } = backend;
    let state = state_text(BackendState::from_number(state));
    format!("backend {} {state} {} generation={generation}", id.0, scopes_text(scopes))
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("writing to a String cannot fail");
}
