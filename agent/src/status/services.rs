//! The answer of `waggle service list`: what the agent last wrote, compared with what the tables
//! hold.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use dataplane_common::abi::{Backend, BackendId, BackendState, FrontendKind, Service, Slot};
use hostnet::Pins;
use serde::Serialize;

use super::state::State;
use crate::cli::Places;
use crate::engine::{BackendRow, ServiceRow};
use crate::maps::LbMaps;
use crate::maps::dump::{extent_length, scopes_text, state_text};
use crate::maps::kernel::KernelMaps;
use crate::model::frontend_text;

/// The answer of `waggle service list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct List {
    pub(super) services: Vec<ServiceRow>,
    /// Where the tables differ from that.
    pub(super) problems: Vec<String>,
}

/// A backend as it is compared: address, state and sets.
type Row = (SocketAddr, String, String);

impl List {
    pub(super) fn collect(places: &Places) -> anyhow::Result<Self> {
        let Some(State { services, .. }) = State::read(&places.run_dir)? else {
            anyhow::bail!(
                "run directory {}: no agent has written its state there; start `waggle agent`, or \
                 give its --run-dir",
                places.run_dir.display()
            );
        };
        let maps = KernelMaps::open(&Pins::new(&places.bpf_root))?;
        let problems = differences(&services, &held(&maps)?);
        Ok(Self { services, problems })
    }
}

/// The frontends in the tables with the backends they lead to.
fn held(maps: &impl LbMaps) -> crate::maps::Result<BTreeMap<String, BTreeSet<Row>>> {
    let backends: BTreeMap<BackendId, Backend> = maps.backends()?.into_iter().collect();
    let mut held = BTreeMap::new();
    for (key, service) in maps.services()? {
        if key.kind == FrontendKind::Exact.number() {
            held.insert(frontend_text(&key), rows(maps, &service, &backends)?);
        }
    }
    Ok(held)
}

fn rows(
    maps: &impl LbMaps,
    service: &Service,
    backends: &BTreeMap<BackendId, Backend>,
) -> crate::maps::Result<BTreeSet<Row>> {
    let slots = maps.slots(service.base..service.base.saturating_add(extent_length(service)))?;
    Ok(slots.iter().map(|slot| row(slot, backends.get(&slot.backend))).collect())
}

fn row(slot: &Slot, backend: Option<&Backend>) -> Row {
    let at = SocketAddr::new(slot.addr.to_ip(), slot.port.number());
    let owned = backend.filter(|backend| backend.generation == slot.generation);
    let state = owned.map_or(BackendState::Dead, |owned| BackendState::from_number(owned.state));
    let scopes = owned.map_or("-", |owned| scopes_text(owned.scopes));
    (at, state_text(state).to_owned(), scopes.to_owned())
}

fn expected(backends: &[BackendRow]) -> BTreeSet<Row> {
    let row = |BackendRow { address, state, scopes }: &BackendRow| {
        let scopes = if scopes.is_empty() { "-".to_owned() } else { scopes.join("+") };
        (*address, state.clone(), scopes)
    };
    backends.iter().map(row).collect()
}

fn differences(services: &[ServiceRow], held: &BTreeMap<String, BTreeSet<Row>>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut unnamed: BTreeSet<_> = held.keys().collect();
    for service in services {
        let name = format!("Service {}/{}", service.namespace, service.name);
        problems.extend(service.failure.iter().map(|failure| format!("{name}: {failure}")));
        let expected = expected(&service.backends);
        for frontend in &service.frontends {
            unnamed.remove(frontend);
            match held.get(frontend) {
                None => problems.push(format!("{name}: frontend {frontend} is not in the tables")),
                Some(found) if *found != expected => problems.push(format!(
                    "{name}: frontend {frontend} leads to {}, not to {}",
                    words(found),
                    words(&expected)
                )),
                Some(_) => {}
            }
        }
    }
    let unnamed = unnamed.into_iter();
    problems.extend(
        unnamed.map(|frontend| format!("frontend {frontend} is in the tables, but of no Service")),
    );
    problems
}

fn words(rows: &BTreeSet<Row>) -> String {
    let word = |(at, state, scopes): &Row| format!("{at} ({state}, {scopes})");
    let words: Vec<_> = rows.iter().map(word).collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::super::state::tests::state;
    use super::*;

    const FRONTEND: &str = "10.96.0.1:80/TCP";

    fn rows_of(rows: &[(&str, &str, &str)]) -> BTreeSet<Row> {
        let row = |(at, state, scopes): &(&str, &str, &str)| {
            (at.parse().unwrap(), (*state).to_owned(), (*scopes).to_owned())
        };
        rows.iter().map(row).collect()
    }

    #[test]
    fn tables_that_differ_from_the_state_are_named() {
        let right = ("10.1.1.2:8080", "active", "cluster");
        for (name, held, words) in [
            ("right", vec![(FRONTEND, vec![right])], None),
            ("missing", vec![], Some("10.96.0.1:80/TCP is not in the tables")),
            ("empty", vec![(FRONTEND, vec![])], Some("leads to nothing, not to 10.1.1.2:8080")),
            (
                "dead",
                vec![(FRONTEND, vec![("10.1.1.2:8080", "dead", "-")])],
                Some("leads to 10.1.1.2:8080 (dead, -), not to 10.1.1.2:8080 (active, cluster)"),
            ),
            (
                "surplus",
                vec![(FRONTEND, vec![right]), ("10.96.0.9:1/UDP", vec![])],
                Some("10.96.0.9:1/UDP is in the tables, but of no Service"),
            ),
        ] {
            let held = held.iter().map(|(key, rows)| ((*key).to_owned(), rows_of(rows)));
            let problems = differences(&state().services, &held.collect());
            match words {
                None => assert_eq!(problems, Vec::<String>::new(), "{name}"),
                Some(words) => {
                    assert!(
                        problems.len() == 1 && problems[0].contains(words),
                        "{name}: {problems:?}"
                    );
                }
            }
        }
    }
}
