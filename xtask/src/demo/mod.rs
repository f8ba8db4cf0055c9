//! `cargo xtask demo`: two nodes on this machine, pods on them, and Services answered by eBPF.

use std::process::ExitCode;

/// What the demo takes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Ends with one line of JSON: the verdict and each check.
    #[arg(long)]
    json: bool,
    /// Leaves the nodes running and prints how to look around in them.
    #[arg(long)]
    keep: bool,
}

/// Runs the demo; the exit code is its verdict.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Args { json, keep } = args;
    crate::setup::ensure(crate::setup::Scope::Run)?;
    anyhow::bail!("this build of xtask has no demo (asked for: json {json}, keep {keep})")
}
