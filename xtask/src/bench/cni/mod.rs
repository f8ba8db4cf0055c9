//! What it takes to connect a pod and to disconnect it: this CNI plugin beside Debian's `ptp` with
//! `host-local`, each on a node of its own, in turn; many pods at once; and thousands, one after the
//! other, after which nothing may have grown.
//!
//! Our node has its agent at work and gives addresses of both families; the other one has no agent
//! and gives IPv4 alone.

mod cycles;
mod worker;

use std::path::Path;

use anyhow::{Context as _, Result};
use xtask::{
    cluster::{Agent, CNI_CONFIG, Manifests},
    topology::Node,
};

use super::{
    gate::{Gate, Window},
    network,
    summary::Row,
    testbed::Folder,
};
use crate::{
    interrupt::Interrupt,
    progress::say,
    random::Random,
    setup::{self, Scope},
    workspace::Artifacts,
};
use worker::Worker;

pub(super) use worker::run_inside;

const PTP: &str = "/usr/lib/cni/ptp";
/// Its leases are in a memory file system of the node, as ours are.
const PTP_CONFIG: &str = r#"{"cniVersion":"1.0.0","name":"ptp","type":"ptp","mtu":1500,
    "ipam":{"type":"host-local","dataDir":"/run/host-local",
    "ranges":[[{"subnet":"10.88.0.0/16"}]],"routes":[{"dst":"0.0.0.0/0"}]}}"#;

/// Their names.
const PLUGINS: [&str; 2] = ["waggle-cni", "ptp+host-local"];

/// Pods that come at once.
const CROWD: usize = 50;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Pods of each plugin, one after the other.
    rounds: usize,
    /// Crowds of each plugin.
    crowds: usize,
    /// Pods of ours in a row.
    cycles: usize,
    seed: u64,
}

impl Plan {
    /// Of the quick bench or of the whole.
    pub(super) fn new(quick: bool, seed: u64) -> Self {
        let (rounds, crowds, cycles) = if quick { (200, 5, 300) } else { (1000, 20, 10_000) };
        Self { rounds, crowds, cycles, seed }
    }
}

/// The windows of one plugin.
#[derive(Debug, Default)]
struct Track {
    adds: Vec<Window>,
    dels: Vec<Window>,
}

/// The times of one plugin's crowds, in milliseconds.
#[derive(Debug, Default)]
struct Crowd {
    adds: Vec<f64>,
    dels: Vec<f64>,
}

/// Measures all of it.
pub(super) fn measure(
    plan: Plan,
    artifacts: &Artifacts,
    folder: &Folder,
    interrupt: &Interrupt,
) -> Result<Vec<Row>> {
    setup::ensure_packages(Scope::Cni)?;
    let networks = [network("cni-own", 1, &folder.0)?, network("cni-ptp", 1, &folder.0)?];
    let objects = Folder::fresh(folder.0.join("cni"))?;
    let manifests = Manifests::create(&objects.0, "")?;
    let [own, other] = [networks[0].a(), networks[1].a()];
    let agent = Agent::start(own, &artifacts.waggle, manifests.folder(), None)?;
    let mut workers = [
        Worker::start(own, &artifacts.waggle_cni, CNI_CONFIG)?,
        Worker::start(other, Path::new(PTP), PTP_CONFIG)?,
    ];
    let tracks = alternate(plan, &mut workers, interrupt)?;
    say(&format!("cni: {} pods of each plugin", plan.rounds));
    let crowds = crowd(plan, &mut workers, interrupt)?;
    say(&format!("cni: {} times {CROWD} pods at once of each plugin", plan.crowds));
    let mut rows = compared(&tracks);
    rows.extend(at_once(crowds));
    let node: &Node = own;
    rows.extend(cycles::measure(plan.cycles, node, &agent, &mut workers[0], artifacts, interrupt)?);
    say(&format!("cni: {} pods in a row", plan.cycles));
    Ok(rows)
}

/// A pod of each plugin in random order, round after round.
fn alternate(plan: Plan, workers: &mut [Worker; 2], interrupt: &Interrupt) -> Result<[Track; 2]> {
    let mut random = Random::new(plan.seed);
    let mut tracks = [Track::default(), Track::default()];
    for _ in 0..plan.rounds {
        interrupt.check()?;
        let mut order = [0, 1];
        random.shuffle(&mut order);
        for index in order {
            let said = workers[index].ask("window").context(PLUGINS[index])?;
            let [before, after, add, del] = said[..] else {
                anyhow::bail!("the worker of {} said {said:?}", PLUGINS[index]);
            };
            let window = |nanoseconds| Window::whole(milliseconds(nanoseconds), before, after);
            tracks[index].adds.push(window(add));
            tracks[index].dels.push(window(del));
        }
    }
    tracks.iter_mut().for_each(|track| level([&mut track.adds, &mut track.dels]));
    Ok(tracks)
}

/// These windows are long and few, and the machine is as fast in one round as in another.
fn level(windows: [&mut Vec<Window>; 2]) {
    for windows in windows {
        let floor = windows.iter().map(|window| window.floor).min().unwrap_or_default();
        windows.iter_mut().for_each(|window| window.floor = floor);
    }
}

fn compared([own, other]: &[Track; 2]) -> Vec<Row> {
    let verbs = [
        (["cni_add", "cni_add_p99"], [&own.adds, &other.adds]),
        (["cni_del", "cni_del_p99"], [&own.dels, &other.dels]),
    ];
    let mut rows = Vec::new();
    for ([name, tail], windows) in verbs {
        let [own, other] = windows.map(Vec::as_slice);
        let gate = Gate::choose(&[own, other], other);
        for (plugin, windows) in PLUGINS.into_iter().zip([own, other]) {
            rows.push(Row::of_windows([name, plugin, "ms"], gate, windows, (PLUGINS[1], other)));
        }
        for (plugin, windows) in PLUGINS.into_iter().zip([own, other]) {
            let values = gate.map_or(Vec::new(), |gate| gate.values(windows));
            rows.push(Row::of_values([tail, plugin, "ms"], last_percent(values)));
        }
    }
    rows
}

fn crowd(plan: Plan, workers: &mut [Worker; 2], interrupt: &Interrupt) -> Result<[Crowd; 2]> {
    let mut crowds = [Crowd::default(), Crowd::default()];
    for _ in 0..plan.crowds {
        for (index, worker) in workers.iter_mut().enumerate() {
            interrupt.check()?;
            let said = worker.ask(&format!("crowd {CROWD}")).context(PLUGINS[index])?;
            let (adds, dels) = said.split_at(said.len() / 2);
            crowds[index].adds.extend(adds.iter().copied().map(milliseconds));
            crowds[index].dels.extend(dels.iter().copied().map(milliseconds));
        }
    }
    Ok(crowds)
}

fn at_once(crowds: [Crowd; 2]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (plugin, Crowd { adds, dels }) in PLUGINS.into_iter().zip(crowds) {
        for ([name, tail], values) in [
            (["cni_add_50_at_once", "cni_add_50_at_once_p99"], adds),
            (["cni_del_50_at_once", "cni_del_50_at_once_p99"], dels),
        ] {
            rows.push(Row::of_values([name, plugin, "ms"], values.clone()));
            rows.push(Row::of_values([tail, plugin, "ms"], last_percent(values)));
        }
    }
    rows.sort_by_key(Row::name);
    rows
}

/// The value that one of a hundred is not below.
fn last_percent(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    let at = (values.len() * 99).div_ceil(100).saturating_sub(1);
    values.get(at).copied().into_iter().collect()
}

fn milliseconds(nanoseconds: u64) -> f64 {
    std::time::Duration::from_nanos(nanoseconds).as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::last_percent;

    #[test]
    fn one_of_a_hundred_is_beyond_the_last_percent() {
        let upto = |count: u32| (1..=count).map(f64::from).rev().collect::<Vec<_>>();
        for (values, expected) in [
            (upto(100), vec![99.0]),
            (upto(200), vec![198.0]),
            (upto(10), vec![10.0]),
            (upto(1), vec![1.0]),
            (upto(0), vec![]),
        ] {
            assert_eq!(last_percent(values.clone()), expected, "{values:?}");
        }
    }
}
