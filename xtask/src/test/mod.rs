//! `cargo xtask test`: the tiers in order, their minutes against the budget, one last line.

#[cfg(test)]
mod behaviours;
mod budget;
mod chance;
mod summary;
mod tier;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};

use self::{chance::Chance, summary::Summary, tier::Tier};
use crate::{
    build::{self, Profile},
    diff,
    progress::say,
    setup::{self, Ready, Scope},
    upstream, workspace,
};

/// What to test.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The tiers to run; all when none is named.
    #[arg(value_enum)]
    tiers: Vec<Tier>,
    #[command(flatten)]
    chance: Chance,
    #[command(flatten)]
    diff: diff::Options,
}

/// Runs the tiers; the exit code says whether every test passed.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let Args { tiers, chance, diff } = args;
    let tiers = if tiers.is_empty() { Tier::ALL } else { tiers };
    ensure!(
        diff.is_empty() || tiers.contains(&Tier::Diff),
        "the options given are of `diff`, which is not named: run `cargo xtask test diff …`"
    );
    chance.check(tiers)?;
    check_privilege(tiers)?;
    let budget = budget::read()?;
    let ready = setup::ensure(Scope::Run)?;
    if tiers.iter().any(|tier| tier.has_cni()) {
        setup::ensure_packages(Scope::Iptables)?;
        setup::ensure_packages(Scope::Cni)?;
    }
    let (mut total, mut minutes) = (Summary::default(), Vec::new());
    let upstream = tiers.to_vec();
    thread::spawn(move || prepare(&upstream));
    let diff = diff.clone().seeded(chance.seed);
    with_artifacts(&ready, tiers, &mut |tier| {
        let start = Instant::now();
        total.add(run_tier(tier, *chance, &diff)?);
        minutes.push((tier, start.elapsed()));
        Ok(())
    })?;
    report(&minutes, &budget);
    print_total(&total);
    Ok(if total.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Before anything is built: nobody should wait ten minutes to be told to become root.
fn check_privilege(tiers: &[Tier]) -> Result<()> {
    let privileged: Vec<&str> =
        tiers.iter().filter(|tier| tier.is_privileged()).map(|tier| tier.name()).collect();
    if privileged.is_empty() || rustix::process::geteuid().is_root() {
        return Ok(());
    }
    bail!(
        "{} loads programs and makes network namespaces, which takes root: run \
         `sudo -E env PATH=$PATH cargo xtask test`, or `cargo xtask test unit scenarios` without",
        privileged.join(", ")
    )
}

/// Builds what the tiers need of others, in their order and beside those before them; who needs it
/// waits for the end of that, or tries again and says why it fails.
fn prepare(tiers: &[Tier]) {
    let build = |ensure: fn(&Path) -> Result<PathBuf>, what: &str| {
        if let Err(error) = setup::cache().and_then(|cache| ensure(&cache)) {
            say(&format!("{what} cannot be built yet: {error:#}"));
        }
    };
    if tiers.iter().any(|tier| tier.has_cni()) {
        build(upstream::ensure_cnitool, "cnitool");
    }
    if tiers.contains(&Tier::Diff) {
        build(upstream::ensure, "kube-proxy");
    }
}

/// Runs the unprivileged tiers beside the builds that the privileged ones wait for.
fn with_artifacts(
    ready: &Ready,
    tiers: &[Tier],
    run: &mut dyn FnMut(Tier) -> Result<()>,
) -> Result<()> {
    let (privileged, plain): (Vec<Tier>, Vec<Tier>) =
        tiers.iter().copied().partition(|tier| tier.is_privileged());
    build::object(ready)?;
    if privileged.is_empty() {
        return plain.into_iter().try_for_each(run);
    }
    thread::scope(|scope| {
        let builds = scope.spawn(|| build::all(ready, Profile::Dev));
        plain.into_iter().try_for_each(&mut *run)?;
        builds.join().map_err(|_| anyhow!("building panicked"))?
    })?;
    privileged.into_iter().try_for_each(run)
}

fn run_tier(tier: Tier, chance: Chance, diff: &diff::Options) -> Result<Summary> {
    let mut summary = Summary::default();
    if tier.has_cni() {
        let built = upstream::ensure_cnitool(&setup::cache()?)?;
        build::publish(&built, &workspace::cnitool())?;
    }
    if tier == Tier::Diff {
        let diff::Verdict { agreed, differed } = diff::run(diff)?;
        summary.add(Summary { passed: agreed as u64, failed: differed as u64 });
    }
    for mut command in tier.commands() {
        command.envs(chance.variables());
        let line = tier::shown(&command);
        say(&format!("== {}: {line}", tier.name()));
        summary.add(summary::run(&mut command).with_context(|| format!("running `{line}`"))?);
    }
    Ok(summary)
}

fn report(minutes: &[(Tier, Duration)], budget: &BTreeMap<String, f64>) {
    say("minutes per tier (budget in docs/testing.md):");
    for (tier, spent) in minutes {
        let spent = spent.as_secs_f64() / 60.0;
        let line = match budget.get(tier.name()) {
            Some(limit) if spent > *limit => format!("{spent:.1} of {limit}: over the budget"),
            Some(limit) => format!("{spent:.1} of {limit}"),
            None => format!("{spent:.1}, by itself not in the budget"),
        };
        say(&format!("  {:<10} {line}", tier.name()));
    }
}

/// On stdout and by itself: this line is read by machines.
fn print_total(total: &Summary) {
    println!("{} passed, {} failed", total.passed, total.failed);
}
