//! `cargo xtask test`.
use std::process::ExitCode;
/// x
#[derive(clap::Args)]
pub(crate) struct Args {}
/// x
pub(crate) fn run(Args {}: &Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!("no")
}
