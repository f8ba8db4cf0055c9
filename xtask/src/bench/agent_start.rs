//! How long an agent takes from its start until many Services are programmed, and how much memory.

use std::{
    fs,
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use xtask::{cluster::Manifests, topology::Process};

use super::{
    catalog::Catalog,
    network,
    testbed::{Folder, ready, write_objects},
};
use crate::{interrupt::Interrupt, progress::say, workspace::Artifacts};

const SERVICES: usize = 10_000;
const RUNS: usize = 5;
const PATIENCE: Duration = Duration::from_secs(120);

/// One start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    /// From the process's start to the last Service.
    pub(super) seconds: f64,
    /// Most memory in use, by then.
    pub(super) mebibytes: f64,
}

/// Starts agents on nodes of their own, one after the other.
pub(super) fn measure(
    artifacts: &Artifacts,
    folder: &Folder,
    interrupt: &Interrupt,
) -> Result<Vec<Start>> {
    let objects = Folder::fresh(folder.0.join("objects"))?;
    let manifests = Manifests::create(&objects.0, "")?;
    write_objects(manifests.folder(), &Catalog::new(SERVICES, Ipv4Addr::new(10, 244, 1, 3)))?;
    let mut starts = Vec::new();
    for _ in 0..RUNS {
        interrupt.check()?;
        starts.push(start(artifacts, folder, &objects, interrupt)?);
    }
    Ok(starts)
}

fn start(
    artifacts: &Artifacts,
    folder: &Folder,
    objects: &Folder,
    interrupt: &Interrupt,
) -> Result<Start> {
    let network = network("start", &folder.0)?;
    let node = network.a();
    let manifests = objects.0.display().to_string();
    let arguments = ["agent", "--node-name", node.name(), "--manifests", &manifests];
    let start = Instant::now();
    let mut agent = node.start_program(&artifacts.waggle, &arguments, "agent")?;
    while !ready(node, artifacts, SERVICES).unwrap_or(false) {
        interrupt.pause(Duration::from_millis(20))?;
        if start.elapsed() > PATIENCE || !agent.is_running() {
            bail!("{SERVICES} Services are not programmed: {}", agent.log_tail());
        }
    }
    let started = Start { seconds: start.elapsed().as_secs_f64(), mebibytes: peak(&agent)? };
    say(&format!(
        "agent with {SERVICES} Services: {:.2} s, {:.0} MiB",
        started.seconds, started.mebibytes
    ));
    agent.stop()?;
    Ok(started)
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
