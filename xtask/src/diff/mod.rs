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

mod admission;
mod case;
mod change;
mod claims;
mod compare;
mod contest;
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

use self::{
    feature::{Feature, Named, Profile},
    judge::Judge,
    report::Report,
    run::{Aim, Bounds, Task},
    setting::{Choice, Setting},
};
use crate::{
    build,
    interrupt::Interrupt,
    progress::say,
    setup::{self, Scope},
    workspace::{self, Artifacts},
};

/// For how long is judged where nothing is said.
const TIME: Duration = Duration::from_secs(240);

/// Of the objects where nothing is said at all.
const SEED: u64 = 440_377_618;

/// How many cases are judged then, however long that takes.
const CASES: usize = 500;

/// What is compared, for `diff`.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Of diff alone")]
pub(crate) struct Options {
    /// Ends after so many cases; where nothing is said, after as many as 4 minutes hold, and 500.
    #[arg(long, value_name = "N")]
    cases: Option<usize>,
    /// Ends after so many seconds.
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Of the objects. Where something else is said and not this, the clock chooses. An option of
    /// other tiers too.
    #[arg(skip)]
    seed: Option<u64>,
    /// Which features generated objects have.
    #[arg(long, value_enum, default_value_t)]
    profile: Named,
    /// Features beside those of the profile.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FEATURES")]
    with: Vec<Feature>,
    /// Features of the profile to leave out.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FEATURES")]
    without: Vec<Feature>,
    /// How both are configured, one after the other: the first for half of the time, the others for
    /// equal parts of the rest.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "SETTINGS", default_value = "all")]
    setting: Vec<Choice>,
    /// Has a wrong decision planted into Waggle, which must be found, by default within 500 cases of
    /// the default setting.
    #[arg(long)]
    planted: bool,
}

/// How many cases agreed, and how many did not.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) agreed: usize,
    pub(crate) differed: usize,
}

impl Options {
    /// The same with the seed of an earlier run.
    pub(crate) fn seeded(self, seed: Option<u64>) -> Self {
        Self { seed, ..self }
    }

    /// Whether nothing is said.
    pub(crate) fn is_empty(&self) -> bool {
        let setting = vec![Choice::default()];
        *self == Self { setting, ..Self::default() }
    }

    fn whole(&self) -> Bounds {
        let time = self.seconds.map(Duration::from_secs);
        match (self.cases, time) {
            (None, None) if self.planted => Bounds { least: 0, most: CASES, time: Duration::MAX },
            (None, None) => Bounds { least: CASES, most: usize::MAX, time: TIME },
            (cases, time) => {
                let (most, time) = (cases.unwrap_or(usize::MAX), time.unwrap_or(Duration::MAX));
                Bounds { least: 0, most, time }
            }
        }
    }

    fn settings(&self) -> Vec<Setting> {
        let mut settings = Choice::settings(&self.setting);
        if self.planted {
            settings.truncate(1);
        }
        settings
    }

    fn aim(&self) -> Aim {
        if self.planted { Aim::Difference } else { Aim::Everything { rows: rows::folder() } }
    }
}

/// Compares, and says what it found.
pub(crate) fn run(options: &Options) -> Result<Verdict> {
    if !options.planted {
        let Report { cases, failed, .. } = judge(options, &workspace::artifacts())?;
        return Ok(Verdict { agreed: cases - failed, differed: failed });
    }
    let artifacts = build::planted(&setup::ensure(Scope::Compile)?)?;
    let Report { cases, failed, .. } = judge(options, &artifacts)?;
    let is_found = failed > 0;
    let told = if is_found { "was found" } else { "was not found" };
    say(&format!("the planted bug {told} within {cases} cases"));
    Ok(Verdict { agreed: usize::from(is_found), differed: usize::from(!is_found) })
}

fn judge(options: &Options, artifacts: &Artifacts) -> Result<Report> {
    let profile = Profile::new(options.profile, &options.with, &options.without);
    let seed = match options.seed {
        Some(seed) => seed,
        // A gate must not fail one change for what it finds by chance of another.
        None if options.is_empty() => SEED,
        None => SystemTime::now().duration_since(UNIX_EPOCH)?.subsec_nanos().into(),
    };
    say(&format!("--seed {seed}, with: {profile}"));
    let interrupt = Interrupt::catch()?;
    court::hold(artifacts, |court| {
        let (started, mut total) = (Instant::now(), Report::default());
        for (setting, bounds) in options.whole().split(&options.settings()) {
            let began = Instant::now();
            let task = Task { seed, bounds, began, aim: options.aim() };
            let report = court.sit(setting, |cluster, islands| {
                let (interrupt, profile) = (interrupt.clone(), profile.clone());
                run::run(Judge::new(cluster, islands, interrupt, profile, setting), task)
            })?;
            let line = report.line(began.elapsed());
            say(&format!("{}--seed {seed} --setting {setting}: {line}", report.text()));
            total.take(report);
        }
        say(&format!("all settings, --seed {seed}: {}", total.line(started.elapsed())));
        Ok(total)
    })
}

/// Runs the node's own sender, if `arguments` (without the program) name it.
pub(crate) fn run_inside(arguments: &[String]) -> Option<Result<()>> {
    (arguments == [sockets::WORKER]).then(sockets::work)
}
