//! `cargo xtask lint`: the checks in order, every finding at once.

mod arrows;
mod cargo;
mod deny;
mod help;
mod names;
mod orphans;
mod sizes;
pub(crate) mod source;

use std::{process::ExitCode, thread};

use anyhow::{Result, anyhow};

use self::source::Sources;
use crate::{
    build::{self, Profile},
    progress::say,
    setup::{self, Scope},
};

/// Lint takes no options: the rules are in the repository.
#[derive(clap::Args)]
pub(crate) struct Args {}

/// What a check found.
pub(crate) enum Outcome {
    /// Nothing to mend.
    Clean,
    /// What to mend, a line each.
    Findings(Vec<String>),
    /// Why it could not run here; not a failure.
    NotRun(String),
}

/// How the checks went.
#[derive(Default)]
struct Tally {
    clean: u32,
    failed: u32,
    not_run: u32,
}

/// Runs every check; the exit code says whether all are clean.
pub(crate) fn run(Args {}: &Args) -> Result<ExitCode> {
    let ready = setup::ensure(Scope::Compile)?;
    let sources = Sources::read()?;
    let mut tally = Tally::default();
    thread::scope(|scope| {
        let tool = scope.spawn(deny::ensure);
        tally.take("format", cargo::format());
        tally.take("file sizes", Ok(sizes::check(&sources)));
        tally.take("module names", Ok(names::check(&sources)));
        tally.take("orphan files", orphans::check(&sources));
        tally.take("crate arrows", arrows::check(&sources));
        tally.take("clippy", cargo::clippy());
        tally.take("kernel programs", cargo::kernel_programs(&ready));
        tally.take("help texts", with_binaries(&ready));
        let tool = tool.join().map_err(|_| anyhow!("installing cargo-deny panicked"))??;
        tally.take("dependencies", deny::check(&tool));
        tally.take("advisories", deny::advisories(&tool));
        anyhow::Ok(())
    })?;
    let Tally { clean, failed, not_run } = tally;
    say(&format!("lint: {clean} clean, {failed} failed, {not_run} not run"));
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn with_binaries(ready: &setup::Ready) -> Result<Outcome> {
    build::object(ready)?;
    build::agent(Profile::Dev)?;
    help::check()
}

impl Tally {
    /// Prints and counts an outcome; an error is a finding, so that the other checks still run.
    fn take(&mut self, name: &str, outcome: Result<Outcome>) {
        match outcome.unwrap_or_else(|error| Outcome::Findings(vec![format!("{error:#}")])) {
            Outcome::Clean => {
                self.clean += 1;
                say(&format!("clean    {name}"));
            }
            Outcome::NotRun(reason) => {
                self.not_run += 1;
                say(&format!("not run  {name}: {reason}"));
            }
            Outcome::Findings(findings) => {
                self.failed += 1;
                say(&format!("FAILED   {name}"));
                for finding in findings {
                    say(&format!("  {finding}"));
                }
            }
        }
    }
}

impl From<Vec<String>> for Outcome {
    fn from(findings: Vec<String>) -> Self {
        if findings.is_empty() { Self::Clean } else { Self::Findings(findings) }
    }
}
