//! What maps and engine say, as text to compare.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::SocketAddr;

use dataplane_common::abi::{BackendState, FrontendKind, Service, ServiceFlags};
use waggle_agent::engine::{Engine, FrontendRow, ServiceRow};
use waggle_agent::maps::{LbMaps, Source, dump};
use waggle_agent::model::frontend_text;

/// What the maps do, without the identifiers and places that depend on history.
pub(crate) fn effect(maps: &impl LbMaps) -> String {
    let mut text = String::new();
    let backends: BTreeMap<_, _> = maps.backends().unwrap().into_iter().collect();
    let mut reached = BTreeSet::new();
    let mut services = maps.services().unwrap();
    services.sort_unstable();
    let mut of_service = BTreeMap::new();
    for (key, service) in services {
        if key.kind == FrontendKind::Address.number() {
            let is_cluster_ip = service.flags.has(ServiceFlags::CLUSTER_IP);
            writeln!(text, "address {} {is_cluster_ip}", key.addr.to_ip()).unwrap();
            continue;
        }
        let shared = Service { flags: ServiceFlags::default(), ..service };
        let of_others = *of_service.entry(service.id).or_insert(shared);
        assert_eq!(shared, of_others, "frontends of one ServicePort differ in their flags alone");
        let counts = (service.local_count, service.cluster_offset, service.cluster_count);
        let flags = dump::flags_text(service.flags);
        let affinity = service.affinity_seconds;
        writeln!(text, "{} {counts:?}{flags} {affinity}s", frontend_text(&key)).unwrap();
        let end = service.base + dump::extent_length(&service);
        for slot in maps.slots(service.base..end).unwrap() {
            let backend = backends.get(&slot.backend).copied().unwrap_or_default();
            assert_eq!(backend.generation, slot.generation, "{slot:?}");
            let at = SocketAddr::new(slot.addr.to_ip(), slot.port.number());
            let state = dump::state_text(BackendState::from_number(backend.state));
            let place = dump::place_text(slot.flags);
            writeln!(text, "  {at} {state} {}{place}", dump::scopes_text(backend.scopes)).unwrap();
            reached.insert(slot.backend);
        }
    }
    for Source { service, network } in maps.sources().unwrap() {
        let service = of_service.get(&service).expect("a source is of a service");
        writeln!(text, "{:?} lets in {network}", (service.local_count, service.cluster_count))
            .unwrap();
    }
    let alive: BTreeSet<_> =
        backends.iter().filter(|(_, backend)| !dump::is_dead(backend)).map(|(id, _)| *id).collect();
    assert_eq!(alive, reached, "just the backends that a slot names are alive");
    text
}

/// What shall be served: a line for each ServicePort and family, then its backends.
pub(crate) fn table(engine: &Engine) -> String {
    let mut text = String::new();
    for row in engine.services() {
        let colon = if row.port.is_empty() { "" } else { ":" };
        let ServiceRow { namespace, name, port, r#type, .. } = &row;
        let affinity = row.affinity_seconds.map_or(String::new(), |seconds| format!(" {seconds}s"));
        writeln!(text, "{namespace}/{name}{colon}{port} {type}{affinity}").unwrap();
        for FrontendRow { address, kind, traffic_policy, keep_client_ip } in &row.frontends {
            let kept = if *keep_client_ip { " keeps clients" } else { "" };
            writeln!(text, "  {kind} {address} {traffic_policy}{kept}").unwrap();
        }
        for backend in row.backends {
            let scopes = backend.scopes.join("+");
            let scopes = if scopes.is_empty() { "-" } else { &scopes };
            writeln!(text, "  -> {} {} {scopes}", backend.address, backend.state).unwrap();
        }
    }
    text
}
