//! What an agent takes from its start until many Services are programmed: time, and memory.

use std::{
    fs,
    net::Ipv4Addr,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use xtask::{
    cluster::Manifests,
    topology::{Node, Process},
};

use super::{
    api_server,
    catalog::Catalog,
    network,
    testbed::{Folder, write_objects},
};
use crate::{interrupt::Interrupt, progress::say, workspace::Artifacts};

/// How many there are.
pub(super) const SERVICES: usize = 10_000;

const PATIENCE: Duration = Duration::from_secs(120);

/// Where objects come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A folder.
    Yaml,
    /// An API server.
    Api,
}

/// One start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) source: Source,
    /// From the process's start to the last Service.
    pub(super) seconds: f64,
    /// Of processors' time, by then.
    pub(super) processor_seconds: f64,
    /// Most memory in use, by then.
    pub(super) mebibytes: f64,
}

impl Source {
    /// Both.
    pub(super) const ALL: [Self; 2] = [Self::Yaml, Self::Api];

    /// What it is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Yaml => "yaml",
            Self::Api => "api",
        }
    }
}

/// Starts agents on nodes of their own, one after the other, from each source in turn.
pub(super) fn measure(
    runs: usize,
    artifacts: &Artifacts,
    folder: &Folder,
    interrupt: &Interrupt,
) -> Result<Vec<Start>> {
    let objects = Folder::fresh(folder.0.join("objects"))?;
    let manifests = Manifests::create(&objects.0, "")?;
    write_objects(manifests.folder(), &Catalog::new(SERVICES, Ipv4Addr::new(10, 244, 1, 3)))?;
    let kubeconfig = folder.0.join("kubeconfig");
    fs::write(&kubeconfig, replay::kubeconfig(&format!("http://{}", api_server::ADDRESS)))?;
    let mut starts = Vec::new();
    for source in Source::ALL.repeat(runs) {
        interrupt.check()?;
        let from = match source {
            Source::Yaml => ["--manifests".into(), objects.0.clone()],
            Source::Api => ["--kubeconfig".into(), kubeconfig.clone()],
        };
        starts.push(start(source, &from, artifacts, folder, interrupt)?);
    }
    Ok(starts)
}

fn start(
    source: Source,
    from: &[PathBuf; 2],
    artifacts: &Artifacts,
    folder: &Folder,
    interrupt: &Interrupt,
) -> Result<Start> {
    let network = network("start", 1, &folder.0)?;
    let node = network.a();
    // Ends with the node.
    let _server = match source {
        Source::Yaml => None,
        Source::Api => Some(api_server::start(node, interrupt)?),
    };
    let mut arguments: Vec<PathBuf> = ["agent", "--node-name", node.name()].map(Into::into).into();
    arguments.extend_from_slice(from);
    let start = Instant::now();
    let mut agent = node.start_program(&artifacts.waggle, &arguments, "agent")?;
    while !is_programmed(node) {
        interrupt.pause(Duration::from_millis(10))?;
        if start.elapsed() > PATIENCE || !agent.is_running() {
            bail!("{SERVICES} Services are not programmed: {}", agent.log_tail());
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let (processor_seconds, mebibytes) = (processor_seconds(&agent)?, peak(&agent)?);
    let name = source.name();
    say(&format!(
        "agent with {SERVICES} Services by {name}: {seconds:.2} s, {processor_seconds:.2} s of \
         processors, {mebibytes:.0} MiB"
    ));
    agent.kill()?;
    Ok(Start { source, seconds, processor_seconds, mebibytes })
}

/// Whether the agent has written down that all Services are in the tables. Its file is read rather
/// than `waggle status` asked, which would take a processor from it.
fn is_programmed(node: &Node) -> bool {
    let read = || -> Option<Value> {
        let text = fs::read(node.path("/run/waggle/state.json")).ok()?;
        serde_json::from_slice(&text).ok()
    };
    read().is_some_and(|state| {
        let services = state["services"].as_array().map_or(0, Vec::len);
        state["lastSync"].is_string() && state["complete"] == true && services == SERVICES
    })
}

/// User's and kernel's time, of all threads.
fn processor_seconds(process: &Process) -> Result<f64> {
    let path = format!("/proc/{}/stat", process.pid());
    let text = fs::read_to_string(&path).with_context(|| path.clone())?;
    ticks(&text).map(|ticks| f64::from(ticks) / 100.0).with_context(|| format!("{path} is short"))
}

/// Hundredths of a second; what stands before them is a name in brackets and 11 words.
fn ticks(stat: &str) -> Option<u32> {
    let (_, words) = stat.rsplit_once(')')?;
    let mut times = words.split_whitespace().skip(11).map(str::parse::<u32>);
    Some(times.next()?.ok()? + times.next()?.ok()?)
}

/// The most memory that a process had resident so far.
fn peak(process: &Process) -> Result<f64> {
    let path = format!("/proc/{}/status", process.pid());
    let status = fs::read_to_string(&path).with_context(|| path.clone())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kibibytes: u32 = kibibytes.with_context(|| format!("{path} has no VmHWM"))?.parse()?;
    Ok(f64::from(kibibytes) / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::ticks;

    #[test]
    fn times_stand_after_a_name_that_may_have_brackets_and_spaces() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 123 45 0 0 20 0 3 0 100";
        assert_eq!((ticks(stat), ticks("7 (a) S 1 7")), (Some(168), None));
    }
}
