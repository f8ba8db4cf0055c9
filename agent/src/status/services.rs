//! The answer of `waggle service list`: what the agent last wrote, compared with what the tables
//! hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;

use dataplane_common::abi::{
    Backend, BackendId, BackendState, FrontendKind, Service, ServiceFlags, Slot,
};
use hostnet::Pins;
use serde::Serialize;

use super::state::State;
use crate::cli::Places;
use crate::engine::{BackendRow, FrontendRow, ServiceRow};
use crate::maps::LbMaps;
use crate::maps::dump::{extent_length, scopes_text, state_text, traffic_policy};
use crate::maps::kernel::KernelMaps;
use crate::model::{Role, frontend_text};

/// The answer of `waggle service list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct List {
    pub(super) services: Vec<ServiceRow>,
    /// Where the tables differ from that.
    pub(super) problems: Vec<String>,
}

/// What the tables say of a frontend.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    manner: Manner,
    backends: BTreeSet<Row>,
}

/// How a frontend is served, whoever serves it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Manner {
    is_external: bool,
    traffic_policy: String,
    keep_client_ip: bool,
    affinity_seconds: Option<u32>,
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
fn held(maps: &impl LbMaps) -> crate::maps::Result<BTreeMap<String, Held>> {
    let backends: BTreeMap<BackendId, Backend> = maps.backends()?.into_iter().collect();
    let mut held = BTreeMap::new();
    for (key, service) in maps.services()? {
        if key.kind != FrontendKind::Address.number() {
            let backends = rows(maps, &service, &backends)?;
            held.insert(frontend_text(&key), Held { manner: Manner::held(&service), backends });
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

impl Manner {
    fn held(service: &Service) -> Self {
        let Service { flags, affinity_seconds, .. } = *service;
        Self {
            is_external: flags.has(ServiceFlags::EXTERNAL),
            traffic_policy: traffic_policy(flags).to_owned(),
            keep_client_ip: flags.has(ServiceFlags::KEEP_CLIENT),
            affinity_seconds: (affinity_seconds > 0).then_some(affinity_seconds),
        }
    }

    fn expected(service: &ServiceRow, frontend: &FrontendRow) -> Self {
        Self {
            is_external: frontend.kind != Role::ClusterIp.as_str(),
            traffic_policy: frontend.traffic_policy.clone(),
            keep_client_ip: frontend.keep_client_ip,
            affinity_seconds: service.affinity_seconds,
        }
    }
}

impl fmt::Display for Manner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { is_external, traffic_policy, keep_client_ip, affinity_seconds } = self;
        let side = if *is_external { "external" } else { "internal" };
        write!(f, "{side} traffic policy {traffic_policy}")?;
        if *keep_client_ip {
            f.write_str(", keeping clients' addresses")?;
        }
        match affinity_seconds {
            Some(seconds) => write!(f, ", affinity for {seconds} s"),
            None => Ok(()),
        }
    }
}

fn expected(backends: &[BackendRow]) -> BTreeSet<Row> {
    let row = |BackendRow { address, state, scopes }: &BackendRow| {
        let scopes = if scopes.is_empty() { "-".to_owned() } else { scopes.join("+") };
        (*address, state.clone(), scopes)
    };
    backends.iter().map(row).collect()
}

fn differences(services: &[ServiceRow], held: &BTreeMap<String, Held>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut unnamed: BTreeSet<_> = held.keys().collect();
    for service in services {
        let name = format!("Service {}/{}", service.namespace, service.name);
        problems.extend(service.failure.iter().map(|failure| format!("{name}: {failure}")));
        let expected = expected(&service.backends);
        for frontend in &service.frontends {
            let address = &frontend.address;
            unnamed.remove(address);
            let Some(Held { manner, backends }) = held.get(address) else {
                problems.push(format!("{name}: frontend {address} is not in the tables"));
                continue;
            };
            if *backends != expected {
                let (found, expected) = (words(backends), words(&expected));
                problems.push(format!(
                    "{name}: frontend {address} leads to {found}, not to {expected}"
                ));
            }
            let wanted = Manner::expected(service, frontend);
            if *manner != wanted {
                problems.push(format!("{name}: frontend {address} has {manner}, not {wanted}"));
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

    /// What the tables may hold: frontends that are internal or external, for how long a client
    /// stays, and their backends.
    type Tables<'a> = Vec<(&'a str, bool, Option<u32>, Vec<(&'a str, &'a str, &'a str)>)>;

    fn differences_to(tables: Tables<'_>) -> Vec<String> {
        let held = tables.into_iter().map(|(address, is_external, affinity_seconds, rows)| {
            let manner = Manner {
                is_external,
                traffic_policy: "Cluster".to_owned(),
                keep_client_ip: false,
                affinity_seconds,
            };
            (address.to_owned(), Held { manner, backends: rows_of(&rows) })
        });
        differences(&state().services, &held.collect())
    }

    #[test]
    fn tables_that_differ_from_the_state_are_named() {
        let right = ("10.1.1.2:8080", "active", "cluster");
        let dead = ("10.1.1.2:8080", "dead", "-");
        assert_eq!(
            differences_to(vec![(FRONTEND, false, None, vec![right])]),
            Vec::<String>::new()
        );
        for (tables, words) in [
            (vec![], "10.96.0.1:80/TCP is not in the tables"),
            (vec![(FRONTEND, false, None, vec![])], "leads to nothing, not to 10.1.1.2:8080"),
            (
                vec![(FRONTEND, false, None, vec![dead])],
                "leads to 10.1.1.2:8080 (dead, -), not to 10.1.1.2:8080 (active, cluster)",
            ),
            (
                vec![
                    (FRONTEND, false, None, vec![right]),
                    ("10.96.0.9:1/UDP", false, None, vec![]),
                ],
                "10.96.0.9:1/UDP is in the tables, but of no Service",
            ),
            (
                vec![(FRONTEND, true, Some(60), vec![right])],
                "10.96.0.1:80/TCP has external traffic policy Cluster, affinity for 60 s, not \
                 internal traffic policy Cluster",
            ),
        ] {
            let problems = differences_to(tables);
            assert!(problems.len() == 1 && problems[0].contains(words), "{words}: {problems:?}");
        }
    }
}
