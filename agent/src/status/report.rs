//! The answer of `waggle status`.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use dataplane_common::abi::{Counter, names};
use hostnet::hook::Direction;
use hostnet::{Netlink, Pins};
use serde::Serialize;

use super::host_clients::ClientUse;
use super::state::State;
use crate::adoption::Adoption;
use crate::cli::Places;
use crate::kube::Health;
use crate::loader::{self, hooks};
use crate::lock::AgentLock;
use crate::maps::fill::{MapUse, counters, fill};
use crate::network::{Addresses, Device};
use crate::problem::{Problem, Severity};

/// The answer of `waggle status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    /// Whether nothing is wrong.
    pub(super) healthy: bool,
    pub(super) agent: Agent,
    pub(super) kernel: Kernel,
    pub(super) hooks: Vec<HookUse>,
    pub(super) maps: Vec<MapUse>,
    pub(super) counters: BTreeMap<&'static str, u64>,
    /// The devices that are served.
    pub(super) devices: Vec<Device>,
    pub(super) addresses: Addresses,
    pub(super) adoption: Adoption,
    pub(super) host_clients: ClientUse,
    pub(super) problems: Vec<Problem>,
}

/// The agent, and what it last wrote down.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Agent {
    pub(super) running: bool,
    pub(super) process: Option<String>,
    pub(super) node: Option<String>,
    pub(super) source: Option<String>,
    /// How it stood with the source, where it is an API server.
    pub(super) api: Option<Health>,
    pub(super) started: Option<String>,
    pub(super) last_sync: Option<String>,
    pub(super) service_ports: usize,
    pub(super) writes: usize,
}

/// What is loaded.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Kernel {
    /// The layout of tables.
    pub(super) abi: u32,
    /// The build that every hook runs.
    pub(super) build: Option<String>,
    /// How translated flows are delivered.
    pub(super) delivery: Option<&'static str>,
    /// How programs are attached: `tcx`, `clsact`, or both where hooks differ.
    pub(super) attached_by: Vec<&'static str>,
    /// Pinned programs with their identifiers.
    pub(super) programs: BTreeMap<&'static str, u32>,
}

/// A program at a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HookUse {
    pub(super) device: String,
    pub(super) direction: &'static str,
    pub(super) program: Option<&'static str>,
    pub(super) program_id: u32,
    pub(super) by: &'static str,
    pub(super) present: bool,
}

impl Report {
    pub(super) async fn collect(places: &Places) -> anyhow::Result<Self> {
        let pins = Pins::new(&places.bpf_root);
        let process = AgentLock::holder(&places.run_dir)?;
        let read = State::read(&places.run_dir);
        let mut problems = agent_problems(&places.run_dir, process.as_deref(), &read);
        let state = read.ok().flatten();
        let mut report = Self {
            healthy: false,
            agent: agent(process, state.as_ref()),
            kernel: Kernel { abi: names::ABI, ..Kernel::default() },
            hooks: Vec::new(),
            maps: Vec::new(),
            counters: BTreeMap::new(),
            devices: state.as_ref().map(|state| state.devices.clone()).unwrap_or_default(),
            addresses: state.as_ref().map(|state| state.addresses.clone()).unwrap_or_default(),
            adoption: state.as_ref().map(|state| state.adoption.clone()).unwrap_or_default(),
            host_clients: ClientUse::default(),
            problems: Vec::new(),
        };
        match pins_problem(pins.root()) {
            None => report.examine(&pins, state.as_ref(), &mut problems).await?,
            Some(problem) => problems.push(problem),
        }
        problems.extend(state.map(|state| state.problems).unwrap_or_default());
        report.healthy = problems.iter().all(|problem| problem.severity != Severity::Error);
        report.problems = problems;
        Ok(report)
    }

    async fn examine(
        &mut self,
        pins: &Pins,
        state: Option<&State>,
        problems: &mut Vec<Problem>,
    ) -> anyhow::Result<()> {
        self.kernel.programs = loader::current(pins)?;
        self.hooks = hook_uses(pins, &self.kernel.programs).await?;
        self.kernel.attached_by = self.hooks.iter().map(|hook| hook.by).collect();
        self.kernel.attached_by.sort_unstable();
        self.kernel.attached_by.dedup();
        self.kernel.delivery = state.map(|state| state.delivery.as_str());
        let clients = state.map(|state| state.host_clients.clone());
        self.host_clients = ClientUse::collect(pins, clients)?;
        problems.extend(self.host_clients.problems());
        problems.extend(missing_programs(&self.kernel.programs));
        problems.extend(hook_problems(&self.hooks, &self.devices));
        match tables(pins) {
            Ok((build, maps, counters)) => {
                self.kernel.build = (build != 0).then(|| format!("{build:016x}"));
                (self.maps, self.counters) = (maps, counters);
                self.counters.extend(evictions(&self.maps, &self.counters));
                problems.extend(self.maps.iter().filter_map(nearly_full));
            }
            Err(error) => problems.push(Problem::error("tables", format!("{error:#}"))),
        }
        Ok(())
    }
}

type Tables = (u64, Vec<MapUse>, BTreeMap<&'static str, u64>);

fn tables(pins: &Pins) -> anyhow::Result<Tables> {
    Ok((loader::pinned_build(pins)?, fill(pins)?, counters(pins)?))
}

fn agent(process: Option<String>, state: Option<&State>) -> Agent {
    let running = process.is_some();
    let Some(state) = state else { return Agent { running, process, ..Agent::default() } };
    Agent {
        running,
        process,
        node: Some(state.node.clone()),
        source: Some(state.source.clone()),
        api: state.api.clone(),
        started: Some(state.started.clone()),
        last_sync: state.last_sync.clone(),
        service_ports: state.services.len(),
        writes: state.writes,
    }
}

/// Why what is pinned cannot be examined.
fn pins_problem(root: &Path) -> Option<Problem> {
    let message = match root.try_exists() {
        Ok(true) => return None,
        Ok(false) => "does not exist: nothing is loaded; start `waggle agent`".to_owned(),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            "cannot be examined: permission denied: run as root".to_owned()
        }
        Err(error) => format!("cannot be examined: {error}; check --bpf-root"),
    };
    Some(Problem::error(root.display().to_string(), message))
}

fn agent_problems(
    run_dir: &Path,
    process: Option<&str>,
    state: &io::Result<Option<State>>,
) -> Vec<Problem> {
    let object = format!("agent of {}", run_dir.display());
    let problem = |message: &str| Some(Problem::error(object.clone(), message));
    let unreadable = state.as_ref().err().map(|error| Problem::error("state", error.to_string()));
    let unwell = match (process, state) {
        (None, _) => problem(
            "is not running: Services stay as they were, and changes wait; start `waggle agent`",
        ),
        (Some(_), Ok(None)) => problem("has not written its state yet; ask again"),
        (Some(_), Ok(Some(state))) if state.last_sync.is_none() => {
            problem("has not brought the tables up to date yet; see its log")
        }
        (Some(_), Ok(Some(_)) | Err(_)) => None,
    };
    unwell.into_iter().chain(unreadable).collect()
}

async fn hook_uses(
    pins: &Pins,
    programs: &BTreeMap<&'static str, u32>,
) -> anyhow::Result<Vec<HookUse>> {
    let attachments = hooks::all(&Netlink::here()?, pins).await?;
    let of = |id: u32| programs.iter().find(|(_, known)| **known == id).map(|(name, _)| *name);
    let hook = attachments.into_iter().map(|attachment| HookUse {
        present: attachment.device.is_some(),
        device: attachment.device.unwrap_or_else(|| format!("device {}", attachment.index)),
        direction: attachment.direction.as_str(),
        program: of(attachment.program),
        program_id: attachment.program,
        by: hooks::mechanism(attachment.mechanism),
    });
    Ok(hook.collect())
}

fn missing_programs(programs: &BTreeMap<&'static str, u32>) -> Vec<Problem> {
    let missing = names::PROGRAMS.into_iter().filter(|name| !programs.contains_key(name));
    let problem =
        |name| Problem::error(format!("program {name}"), "is not pinned: start `waggle agent`");
    missing.map(problem).collect()
}

fn hook_problems(hooks: &[HookUse], devices: &[Device]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for hook in hooks {
        let object = format!("hook {}-{}", hook.device, hook.direction);
        if !hook.present {
            let message = "is of a device that is gone; a running agent removes it";
            problems.push(Problem::note(object, message));
        } else if hook.program.is_none() {
            let message = "runs a program of another build; a running agent replaces it";
            problems.push(Problem::error(object, message));
        }
    }
    let has_hook = |device: &str, direction: Direction| {
        let mut present = hooks.iter().filter(|hook| hook.device == device && hook.present);
        present.any(|hook| hook.direction == direction.as_str())
    };
    for Device { device, .. } in devices {
        let is_bare = Direction::ALL.iter().any(|direction| !has_hook(device, *direction));
        let message = "lacks a program: its packets are not handled; start `waggle agent`";
        problems.extend(is_bare.then(|| Problem::error(format!("device {device}"), message)));
    }
    problems
}

/// Clients that lost their backend because others needed the room: of all that were given one, those
/// that are not in the table.
fn evictions(
    maps: &[MapUse],
    counters: &BTreeMap<&'static str, u64>,
) -> Option<(&'static str, u64)> {
    let present = maps.iter().find(|map| map.name == names::AFFINITIES)?.used as u64;
    let given = counters.get(Counter::AffinityNew.as_str())?;
    Some(("affinity_evicted", given.saturating_sub(present)))
}

/// Tables of flows and clients are meant to be full: the least used entry makes room.
fn nearly_full(map: &MapUse) -> Option<Problem> {
    let evicts =
        [names::FLOWS4, names::FLOWS6, names::AFFINITIES, names::SOCKETS].contains(&map.name);
    if evicts || map.used < map.limit as usize / 10 * 9 {
        return None;
    }
    let message = format!("holds {} of at most {} entries", map.used, map.limit);
    Some(Problem::error(format!("table {}", map.name), message))
}

#[cfg(test)]
mod tests {
    use super::super::state::tests::state;
    use super::*;
    use crate::devices::Class;

    fn hook(direction: Direction, program: Option<&'static str>, present: bool) -> HookUse {
        let (device, direction) = ("eth0".to_owned(), direction.as_str());
        HookUse { device, direction, program, program_id: 1, by: "tcx", present }
    }

    #[test]
    fn hooks_that_do_not_do_their_work_are_named() {
        const IN: Option<&str> = Some(names::FROM_NETDEV);
        let eth0 = || "eth0".to_owned();
        let devices = [Device { device: eth0(), mtu: 1500, class: Class::Uplink }];
        for (name, ingress, objects) in [
            ("well", vec![hook(Direction::Ingress, IN, true)], vec![]),
            ("none", vec![], vec!["device eth0"]),
            ("old", vec![hook(Direction::Ingress, None, true)], vec!["hook eth0-in"]),
            (
                "gone",
                vec![hook(Direction::Ingress, None, false)],
                vec!["hook eth0-in", "device eth0"],
            ),
        ] {
            let egress = hook(Direction::Egress, Some(names::TO_NETDEV), true);
            let problems = hook_problems(&[ingress, vec![egress]].concat(), &devices);
            let found: Vec<_> = problems.iter().map(|problem| problem.object.as_str()).collect();
            assert_eq!(found, objects, "{name}");
        }
    }

    #[test]
    fn clients_that_were_given_a_backend_and_are_not_in_the_table_were_evicted() {
        for (used, given, expected) in [(3, 3, 0), (3, 10, 7), (3, 1, 0)] {
            let map = MapUse { name: names::AFFINITIES, id: 1, used, limit: 3 };
            let counters = BTreeMap::from([(Counter::AffinityNew.as_str(), given)]);
            assert_eq!(evictions(&[map], &counters), Some(("affinity_evicted", expected)));
        }
    }

    #[test]
    fn an_agent_is_well_when_it_runs_and_has_synced() {
        let fresh = state();
        let synced = || State { last_sync: Some(fresh.started.clone()), ..state() };
        for (process, state, expected) in [
            (None, Ok(Some(synced())), vec!["is not running"]),
            (Some("7"), Ok(None), vec!["has not written its state yet"]),
            (Some("7"), Ok(Some(state())), vec!["has not brought the tables up to date"]),
            (Some("7"), Ok(Some(synced())), vec![]),
            (Some("7"), Err(io::Error::other("state.json")), vec!["state.json"]),
            (None, Err(io::Error::other("state.json")), vec!["is not running", "state.json"]),
        ] {
            let problems = agent_problems(Path::new("/run/waggle"), process, &state);
            let begins = |(it, begin): (&Problem, &&str)| it.message.starts_with(*begin);
            let is_same = problems.len() == expected.len();
            assert!(is_same && problems.iter().zip(&expected).all(begins), "{problems:?}");
        }
    }

    #[test]
    fn pins_that_cannot_be_seen_are_not_said_to_be_missing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        for (root, expected) in [
            (folder.path().to_owned(), None),
            (folder.path().join("x"), Some("does not exist")),
            (file.join("x"), Some("cannot be examined")),
        ] {
            let problem = pins_problem(&root);
            let found = problem.as_ref().map(|problem| problem.message.as_str());
            assert_eq!(found.is_some(), expected.is_some(), "{found:?}");
            let is_said = found.zip(expected).is_none_or(|(found, words)| found.starts_with(words));
            assert!(is_said, "{found:?}");
        }
    }

    #[test]
    fn a_table_is_reported_before_it_is_full_unless_it_makes_room_itself() {
        for (name, used, is_reported) in
            [("slots", 899, false), ("slots", 900, true), (names::FLOWS4, 1000, false)]
        {
            let map = MapUse { name, id: 1, used, limit: 1000 };
            assert_eq!(nearly_full(&map).is_some(), is_reported, "{name} {used}");
        }
    }
}
