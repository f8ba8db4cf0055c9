//! The judge: Waggle and kube-proxy side by side, asked the same by real packets, answer by answer.
//!
//! ```text
//!  generate, change -> state -> feed -> API server -> kube-proxy | Waggle     one island each
//!                        |                                 |
//!                      cases -> shots -> judge -> island: prober -> outcomes
//!                                          |
//!                   report <- differing: compare, but for differences -> shrink -> rows
//! ```
//!
//! All objects follow from a seed, and so do the probes; nothing follows from the clock but when a
//! run ends.

mod case;
mod change;
mod compare;
mod court;
mod differences;
mod endpoints;
#[cfg(test)]
mod fake;
mod feature;
mod feed;
mod flows;
mod frontends;
mod generate;
mod island;
mod judge;
mod numbers;
mod option;
mod origins;
mod places;
mod probe;
mod prober;
mod report;
mod rows;
mod run;
mod sentinel;
mod service;
mod setting;
mod shrink;
mod slice;
mod sockets;
mod state;
mod tally;
mod wire;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use clap::ValueEnum as _;

use self::{
    feature::{Feature, Named, Profile},
    judge::Judge,
    run::Bounds,
    setting::Setting,
};
use crate::{interrupt::Interrupt, progress::say, workspace};

/// How many cases are judged where nothing is said.
const CASES: usize = 500;

/// What is compared, for `diff`.
#[derive(clap::Args)]
#[command(next_help_heading = "Of diff alone")]
pub(crate) struct Options {
    /// Ends after so many cases; 500, or as many as there is time for.
    #[arg(long, value_name = "N")]
    cases: Option<usize>,
    /// Ends after so many seconds.
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Repeats the objects of an earlier run.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Which features generated objects have.
    #[arg(long, value_enum, default_value_t = Named::Served)]
    profile: Named,
    /// Features beside those of the profile.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FEATURES")]
    with: Vec<Feature>,
    /// Features of the profile to leave out.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FEATURES")]
    without: Vec<Feature>,
    /// How both are configured. That by which the node's pods are known is the one that Waggle
    /// has of its own.
    #[arg(long, value_enum, default_value_t)]
    setting: Setting,
}

impl Options {
    /// Whether nothing is said.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { cases, seconds, seed, profile, with, without, setting } = self;
        cases.is_none()
            && seconds.is_none()
            && seed.is_none()
            && *profile == Named::Served
            && with.is_empty()
            && without.is_empty()
            && *setting == Setting::default()
    }
}

/// How many cases agreed, and how many did not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    pub(crate) agreed: usize,
    pub(crate) differed: usize,
}

/// Compares, and says what it found.
pub(crate) fn run(options: &Options) -> Result<Verdict> {
    let Options { cases, seconds, seed, profile, with, without, setting } = options;
    let profile = Profile::new(*profile, with, without);
    let seed = match seed {
        Some(seed) => *seed,
        None => SystemTime::now().duration_since(UNIX_EPOCH)?.subsec_nanos().into(),
    };
    let cases = cases.unwrap_or(if seconds.is_some() { usize::MAX } else { CASES });
    let bounds = Bounds { cases, time: seconds.map_or(Duration::MAX, Duration::from_secs) };
    let name = setting.to_possible_value().map(|value| value.get_name().to_owned());
    say(&format!("--seed {seed} --setting {}, with: {profile}", name.unwrap_or_default()));
    let interrupt = Interrupt::catch()?;
    let report = court::hold(&workspace::artifacts(), *setting, |cluster, islands| {
        let started = Instant::now();
        let rows = rows::folder();
        let judge = Judge::new(cluster, islands, interrupt, profile);
        let report = run::run(judge, seed, bounds, &rows)?;
        say(&format!("{}--seed {seed}", report.text(started.elapsed())));
        Ok(report)
    })?;
    Ok(Verdict { agreed: report.cases - report.failed, differed: report.failed })
}

/// Runs the node's own sender, if `arguments` (without the program) name it.
pub(crate) fn run_inside(arguments: &[String]) -> Option<Result<()>> {
    (arguments == [sockets::WORKER]).then(sockets::work)
}
