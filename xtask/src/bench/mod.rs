//! `cargo xtask bench`: what a packet and a connection cost on their way to a Service, side by side
//! with Linux alone and with netfilter.
//!
//! Each way has its own node with a client pod and a backend pod ([`testbed`]), all alive at once.
//! A window of one metric is measured in each of them, in random order, round after round; only
//! windows count during which the machine was quiet ([`gate`]). docs/benchmarks tells why.

mod agent_start;
mod api_server;
pub(crate) mod bpf;
mod calibration;
mod catalog;
mod choice;
mod cni;
mod cpu;
mod environment;
mod frame;
mod gate;
mod generator;
mod instruction;
mod kube_proxy;
mod metric;
mod nodes;
mod objects;
mod probe;
mod rounds;
mod statistics;
mod summary;
mod testbed;
mod transactions;
mod variant;

use std::{
    fs,
    io::{self, Write as _},
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixListener},
    },
    path::{Path, PathBuf},
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use xtask::topology::{Lifetime, Network, sweep};

use self::{
    choice::Choice,
    rounds::{Measured, Plan},
    testbed::{Folder, Testbed},
    variant::Variant,
};
use crate::{
    build,
    interrupt::Interrupt,
    progress::say,
    setup,
    workspace::{self, Artifacts},
};

/// Begins the name of everything the bench makes on the machine.
const PREFIX: &str = "waggle-bench";

/// What the bench takes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Ends within three minutes: fewer windows, and no start of an agent with 10,000 Services, no
    /// pods that come and go and no 1,000 nodes unless they are named.
    #[arg(long)]
    quick: bool,
    /// Repeats the order of another run, which printed its seed.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Measures this only; may be given more than once.
    #[arg(long, value_name = "NAME")]
    metric: Vec<Choice>,
}

impl Args {
    /// How many agents are started from each source, if any.
    fn starts(&self) -> Option<usize> {
        let runs = if self.quick { 2 } else { 5 };
        self.has(Choice::AgentStart).then_some(runs)
    }

    /// Whether something is measured that takes its time.
    fn has(&self, choice: Choice) -> bool {
        self.metric.contains(&choice) || (self.metric.is_empty() && !self.quick)
    }
}

/// Runs a verb that the bench's own processes are started with, if `arguments` name one.
pub(crate) fn run_inside(arguments: &[String]) -> Option<Result<()>> {
    transactions::run_inside(arguments)
        .or_else(|| api_server::run_inside(arguments))
        .or_else(|| cni::run_inside(arguments))
}

/// Runs the bench; it fails if a way could not be measured.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    check_privilege()?;
    let ready = setup::ensure(setup::Scope::Run)?;
    let profile = if args.quick { build::Profile::Dev } else { build::Profile::Release };
    let artifacts = build::all(&ready, profile)?;
    let interrupt = Interrupt::catch()?;
    let _lock = lock()?;
    sweep(PREFIX).context("removing what an earlier bench left")?;
    let seed = args.seed.map_or_else(clock, Ok)?;
    say(&format!("seed {seed}"));
    let folder = Folder::fresh(workspace::target().join("bench"))?;
    let plan = Plan::new(args.quick, seed, &args.metric);
    let mut measured = measure(&plan, &artifacts, &folder, &interrupt)?;
    if let Some(runs) = args.starts() {
        measured.starts = agent_start::measure(runs, &artifacts, &folder, &interrupt)?;
    }
    if args.has(Choice::Cni) {
        let plan = cni::Plan::new(args.quick, seed);
        measured.others.extend(cni::measure(plan, &artifacts, &folder, &interrupt)?);
    }
    if args.has(Choice::Nodes) {
        let runs = if args.quick { 2 } else { 5 };
        measured.others.extend(nodes::measure(runs, &artifacts, &folder, &interrupt)?);
    }
    conclude(&measured, &folder)
}

fn check_privilege() -> Result<()> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    bail!(
        "the bench makes network namespaces and loads programs, which takes root: run \
         `sudo -E env PATH=$PATH cargo xtask bench`"
    )
}

/// Held while a bench runs: two would sweep each other away, and disturb each other.
fn lock() -> Result<UnixListener> {
    let name = SocketAddr::from_abstract_name(PREFIX)?;
    UnixListener::bind_addr(&name).context("another bench is running on this machine: wait for it")
}

fn clock() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

/// Makes a testbed for each variant, and all windows.
fn measure(
    plan: &Plan,
    artifacts: &Artifacts,
    folder: &Folder,
    interrupt: &Interrupt,
) -> Result<Measured> {
    let networks: Vec<(Variant, Network)> = plan
        .variants()
        .into_iter()
        .map(|variant| Ok((variant, network(variant.suffix(), variant.nodes(), &folder.0)?)))
        .collect::<Result<_>>()?;
    let mut testbeds = Vec::new();
    for (variant, network) in &networks {
        interrupt.check()?;
        let own = Folder::fresh(folder.0.join(variant.name()))?;
        let testbed = Testbed::set(*variant, network, artifacts, &own, plan.cpu()?);
        testbeds.push(testbed.with_context(|| format!("making the way {}", variant.name()))?);
    }
    for testbed in &testbeds {
        interrupt.check()?;
        let name = testbed.variant.name();
        testbed.wait(artifacts).with_context(|| format!("waiting for the way {name}"))?;
    }
    rounds::measure(plan, &testbeds, artifacts, interrupt)
}

/// The nodes of one testbed.
fn network(suffix: &str, nodes: u8, folder: &Path) -> Result<Network> {
    let tool = std::env::current_exe().context("finding this program")?;
    let logs = folder.join("logs").join(suffix);
    Network::start(&format!("{PREFIX}-{suffix}"), nodes, &tool, &logs, Lifetime::Caller)
}

/// A process's memory in KiB.
fn resident(pid: i32) -> Result<f64> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).with_context(|| path.clone())?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let words = line.with_context(|| format!("{path} tells no VmRSS"))?;
    Ok(words.trim().trim_end_matches("kB").trim().parse()?)
}

/// Writes the table and the files; a way without a value is a failure.
fn conclude(measured: &Measured, folder: &Folder) -> Result<ExitCode> {
    let rows = summary::rows(measured);
    let file = write(folder, "summary.json", &summary::json(&rows, measured))?;
    write(folder, "windows.json", &summary::windows(measured))?;
    // A closed stdout is no reason to fail.
    let _ = writeln!(io::stdout(), "{}", summary::table(&rows, measured));
    say(&file.display().to_string());
    let missing = summary::missing(&rows);
    if missing.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!("too few quiet windows for {}: repeat on a quieter machine", missing.join(", ")));
    Ok(ExitCode::FAILURE)
}

fn write(folder: &Folder, name: &str, value: &Value) -> Result<PathBuf> {
    let file = folder.0.join(name);
    fs::write(&file, serde_json::to_string_pretty(value)? + "\n")
        .with_context(|| format!("writing {}", file.display()))?;
    Ok(file)
}
