//! Clusters one after the other, until enough was judged.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{
    case::{Case, cases},
    generate::Generator,
    judge::{Finding, Judge},
    report::Report,
    rows::{self, Row},
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

/// How much is judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// At least so many cases, in whole states.
    pub(super) cases: usize,
    /// No state is begun after this.
    pub(super) time: Duration,
}

/// Replays all rows of a folder, then judges clusters of a seed within bounds. New rows are kept
/// there.
pub(super) fn run(judge: Judge<'_>, seed: u64, bounds: Bounds, rows: &Path) -> Result<Report> {
    let (rows, started) = (rows.to_owned(), Instant::now());
    let mut run = Run { judge, rows, shrunk: 0, bounds, started };
    run.replay()?;
    for round in 0.. {
        if run.is_over() || !run.round(seed, round)? {
            break;
        }
    }
    Ok(run.judge.report)
}

struct Run<'a> {
    judge: Judge<'a>,
    rows: PathBuf,
    /// How many failures were.
    shrunk: usize,
    bounds: Bounds,
    started: Instant,
}

impl Run<'_> {
    fn is_over(&self) -> bool {
        let Bounds { cases, time } = self.bounds;
        self.judge.report.cases >= cases || self.started.elapsed() >= time
    }

    fn replay(&mut self) -> Result<()> {
        for (name, row) in rows::read(&self.rows)? {
            self.judge.begin();
            let mut before = State::default();
            for state in row.states() {
                self.change([&before, &state], &format!("row {name}"))?;
                before = state;
            }
        }
        Ok(())
    }

    /// One cluster and its changes; says whether there was time for all of them.
    fn round(&mut self, seed: u64, round: u64) -> Result<bool> {
        let mut generator = Generator::new(seed, round, &self.judge.profile);
        let (mut before, mut state) = (State::default(), generator.state(SERVICES));
        self.judge.begin();
        self.judge.report.clusters += 1;
        for step in 0..=CHANGES {
            let origin = format!("seed-{seed}-round-{round}-step-{step}");
            let first = self.change([&before, &state], &origin)?;
            if self.is_over() && first.is_empty() {
                return Ok(false);
            }
            if !first.is_empty() {
                first.iter().try_for_each(|it| self.shrink([&before, &state], it, &origin))?;
                // Those clusters took the place of this one.
                self.judge.begin();
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
        if self.shrunk == MOST_SHRUNK {
            return Ok(());
        }
        self.shrunk += 1;
        let kind = finding.kind();
        say(&format!("shrinking: {kind}"));
        let fails = &mut |states: &[State]| self.judge.fails(states, finding);
        let Some(states) = shrink(states, &finding.case, fails)? else { return Ok(()) };
        let name = format!("{origin}-{}-{}", finding.case.service, self.shrunk);
        let path = Row::new(&kind, &states).keep(&self.rows, &name)?;
        say(&format!("kept as {}", path.display()));
        self.judge.report.note_shrunk(&kind, states);
        Ok(())
    }
}
