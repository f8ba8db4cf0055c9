//! Clusters one after the other, until enough was judged.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{
    case::{Case, cases},
    generate::Generator,
    judge::{Finding, Judge},
    report::Report,
    rows::{self, Row},
    setting::Setting,
    shrink::shrink,
    state::State,
};
use crate::progress::say;

/// How many Services a cluster begins with.
const SERVICES: u32 = 50;

/// How often a cluster changes.
const CHANGES: usize = 4;

/// How much each time.
const EDITS: usize = 15;

/// Kinds of failures beyond so many are reported as they are found.
const MOST_SHRUNK: usize = 4;

/// How much is judged, in whole states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// So many cases at least, however long that takes.
    pub(super) least: usize,
    /// No state is begun after so many.
    pub(super) most: usize,
    /// Nor after this, if that is not too few.
    pub(super) time: Duration,
}

impl Bounds {
    /// Parts of a whole: half for the first of some settings, the rest for the others alike.
    pub(super) fn split(self, settings: &[Setting]) -> Vec<(Setting, Self)> {
        let others = settings.len().saturating_sub(1);
        let part = |number| match (number, others) {
            (0, 0) => 1,
            (0, _) => 2,
            (_, others) => 2 * others,
        };
        let parts = settings.iter().enumerate().map(|(number, setting)| {
            let Self { least, most, time } = self;
            let part = part(number);
            let time = time / u32::try_from(part).unwrap_or(u32::MAX);
            (*setting, Self { least: least.div_ceil(part), most: most.div_ceil(part), time })
        });
        parts.collect()
    }
}

/// What a judge is to do.
#[derive(Clone, Debug)]
pub(super) struct Task {
    /// What the objects follow from.
    pub(super) seed: u64,
    /// How much is judged, rows among that.
    pub(super) bounds: Bounds,
    /// When the time began.
    pub(super) began: Instant,
    /// What is to come of it.
    pub(super) aim: Aim,
}

/// What is to come of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    /// That all is judged. Rows of the folder are replayed first, and new ones are kept there.
    Everything {
        /// The folder.
        rows: PathBuf,
    },
    /// That anything differs, which ends it.
    Difference,
}

/// Judges clusters of the seed within bounds.
pub(super) fn run(judge: Judge<'_>, task: Task) -> Result<Report> {
    let mut run = Run { judge, shrunk: 0, task };
    run.replay()?;
    for round in 0.. {
        if run.is_over() || !run.round(round)? {
            break;
        }
    }
    Ok(run.judge.report)
}

struct Run<'a> {
    judge: Judge<'a>,
    /// How many failures were.
    shrunk: usize,
    task: Task,
}

impl Run<'_> {
    fn is_over(&self) -> bool {
        let Bounds { least, most, time } = self.task.bounds;
        let Report { cases, failed, .. } = self.judge.report;
        if self.task.aim == Aim::Difference && failed > 0 {
            return true;
        }
        cases >= most || (cases >= least && self.task.began.elapsed() >= time)
    }

    fn replay(&mut self) -> Result<()> {
        let Aim::Everything { rows } = &self.task.aim else { return Ok(()) };
        let (profile, setting) = (self.judge.profile.clone(), self.judge.setting);
        let rows = rows::read(rows)?;
        for (name, row) in rows.iter().filter(|(_, row)| row.setting == setting) {
            self.judge.profile.clone_from(&row.features);
            self.judge.cluster.begin();
            let mut before = State::default();
            for state in row.states() {
                self.change([&before, &state], &format!("row {name}"))?;
                before = state;
            }
        }
        self.judge.profile = profile;
        Ok(())
    }

    /// One cluster and its changes; says whether there was time for all of them.
    fn round(&mut self, round: u64) -> Result<bool> {
        let (setting, seed) = (self.judge.setting, self.task.seed);
        let mut generator = Generator::new(seed, round, &self.judge.profile);
        let (mut before, mut state) = (State::default(), generator.state(SERVICES));
        self.judge.cluster.begin();
        self.judge.report.clusters += 1;
        for step in 0..=CHANGES {
            let origin = format!("{setting}-seed-{seed}-round-{round}-step-{step}");
            let first = self.change([&before, &state], &origin)?;
            if self.is_over() && (first.is_empty() || self.task.aim == Aim::Difference) {
                return Ok(false);
            }
            if !first.is_empty() {
                first.iter().try_for_each(|it| self.shrink([&before, &state], it, &origin))?;
                // Those clusters took the place of this one.
                self.judge.cluster.begin();
                self.judge.show(&state)?;
            }
            before = state.clone();
            generator.change(&mut state, EDITS);
        }
        Ok(true)
    }

    /// Judges all that differs between two states; says what is found for the first time.
    fn change(&mut self, [before, after]: [&State; 2], origin: &str) -> Result<Vec<Finding>> {
        let judge = &mut self.judge;
        judge.show(after)?;
        let cases = cases(before, after);
        let findings = judge.findings(&cases)?;
        let failed = |case: &&Case| findings.iter().any(|found| found.case == **case);
        judge.report.cases += cases.len();
        judge.report.failed += cases.iter().filter(failed).count();
        say(&format!("{origin}: {} cases, {} probes differ", cases.len(), findings.len()));
        Ok(findings.into_iter().filter(|finding| judge.report.add(finding, origin)).collect())
    }

    fn shrink(&mut self, states: [&State; 2], finding: &Finding, origin: &str) -> Result<()> {
        let Aim::Everything { rows } = &self.task.aim else { return Ok(()) };
        if self.shrunk == MOST_SHRUNK {
            return Ok(());
        }
        self.shrunk += 1;
        let kind = finding.kind();
        say(&format!("shrinking: {kind}"));
        let fails = &mut |states: &[State]| self.judge.fails(states, finding);
        let Some(states) = shrink(states, &finding.case, fails)? else { return Ok(()) };
        let name = format!("{origin}-{}-{}", finding.case.service, self.shrunk);
        let row = Row::new(&kind, self.judge.setting, &self.judge.profile, &states);
        let path = row.keep(rows, &name)?;
        say(&format!("kept as {}", path.display()));
        self.judge.report.note_shrunk(&kind, states);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Bounds, Setting};

    #[test]
    fn the_first_setting_has_half_and_the_others_share_the_rest() {
        let bounds =
            |least, most, seconds| Bounds { least, most, time: Duration::from_secs(seconds) };
        let all = [Setting::NodeCidr, Setting::Bridge, Setting::Prefix];
        for (settings, expected) in [
            (&all[..1], vec![bounds(500, 900, 240)]),
            (&all[..], vec![bounds(250, 450, 120), bounds(125, 225, 60), bounds(125, 225, 60)]),
        ] {
            let parts = bounds(500, 900, 240).split(settings);
            let expected: Vec<_> = settings.iter().copied().zip(expected).collect();
            assert_eq!(parts, expected);
        }
    }
}
