//! `cargo xtask demo`: three nodes on this machine with pods, a client outside, and Services answered by eBPF.

mod acts;
mod asker;
mod board;
mod report;
mod stage;
mod way;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use xtask::topology::{Lifetime, sweep};

use self::{
    board::Board,
    report::Report,
    stage::{Folders, Stage},
};
use crate::{build, interrupt::Interrupt, progress::say, setup, workspace::Artifacts};

/// Begins the name of everything the demo makes on the machine.
const PREFIX: &str = "waggle-demo";

/// What the demo takes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How pods of other nodes are reached. The third node shares no link with the others, but with
    /// host-gw, which takes that.
    #[arg(long, value_enum, value_name = "MODE", default_value_t)]
    mode: Mode,
    /// Ends with one line of JSON: the verdict and each check.
    #[arg(long)]
    json: bool,
    /// Leaves the nodes running and prints how to look around in them.
    #[arg(long)]
    keep: bool,
    /// Only removes what a kept or killed demo left.
    #[arg(long, conflicts_with_all = ["json", "keep", "mode"])]
    clean: bool,
}

/// The modes of the pod network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Mode {
    /// By routes where nodes share a link, else through a tunnel.
    #[default]
    Auto,
    /// Through a tunnel.
    Vxlan,
    /// By routes.
    HostGw,
}

impl Mode {
    /// As the agent's configuration has it.
    fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Vxlan => "vxlan",
            Self::HostGw => "host-gw",
        }
    }
}

/// Runs the demo; the exit code is its verdict.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let &Args { mode, json, keep, clean } = args;
    if clean {
        check_privilege()?;
        say(&format!("{} leftovers removed", sweep(PREFIX)?));
        return Ok(ExitCode::SUCCESS);
    }
    let mut report = Report::new(json);
    let outcome = perform(&mut report, mode, keep);
    if let Err(error) = &outcome {
        report.failed("demo", &format!("{error:#}"));
    }
    Ok(report.conclude())
}

/// Everything from the toolchain to the last check; an error here ends the demo early.
fn perform(report: &mut Report, mode: Mode, keep: bool) -> Result<()> {
    check_privilege()?;
    let ready = setup::ensure(setup::Scope::Compile)?;
    setup::ensure(setup::Scope::Run)?;
    let artifacts = build::all(&ready, build::Profile::Dev)?;
    let interrupt = Interrupt::catch()?;
    let _lock = stage::lock()?;
    if sweep(PREFIX).context("removing what an earlier demo left")? > 0 {
        report.say("removed what an earlier demo left");
    }
    let lifetime = if keep { Lifetime::Kept } else { Lifetime::Caller };
    let outcome = show(report, &artifacts, lifetime, &interrupt, mode);
    if outcome.is_err() && keep {
        sweep(PREFIX)?;
    }
    outcome
}

/// Before anything is built: nobody should wait for minutes to be told to become root.
fn check_privilege() -> Result<()> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    bail!(
        "the demo makes network namespaces and loads programs, which takes root: run \
         `sudo -E env PATH=$PATH cargo xtask demo`"
    )
}

/// Sets the stage and plays each act on it.
fn show(
    report: &mut Report,
    artifacts: &Artifacts,
    lifetime: Lifetime,
    interrupt: &Interrupt,
    mode: Mode,
) -> Result<()> {
    let folders = Folders::fresh()?;
    let network = stage::network(&folders, lifetime, mode)?;
    let mut stage = Stage::set(&network, &folders, artifacts, interrupt, mode)?;
    report.passed("pods", &stage.cast());
    let mut board = Board::new(&stage.servers(), report.is_for_people());
    for act in acts::ALL {
        interrupt.check()?;
        match (act.play)(&mut stage, &mut board) {
            Ok(detail) => report.passed(act.name, &detail),
            Err(error) => {
                interrupt.check()?;
                report.failed(act.name, &format!("{error:#}; logs in {}", folders.logs.display()));
                report.say(&stage.log_tails());
            }
        }
    }
    if lifetime == Lifetime::Kept {
        report.say(&stage.how_to_look_around());
    }
    Ok(())
}
