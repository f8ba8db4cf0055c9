//! Both islands before the same state, asked the same.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, bail};

use super::{
    case::{Case, Shot, cases},
    compare::kind,
    differences::explanation,
    feature::Profile,
    island::Island,
    probe::{Outcome, Probe},
    report::Report,
    sentinel::Sentinel,
    setting::Setting,
    state::State,
};
use crate::interrupt::Interrupt;

/// An island that has not heard of a change within this will not.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often what differs is asked again before it counts.
const AGAIN: usize = 2;

/// Who both islands follow.
pub(super) trait Cluster {
    /// Begins a namespace, and with it a cluster that has nothing of the one before.
    fn begin(&mut self);

    /// Has these objects in the namespace and none in any other, and then those of a sentinel that
    /// it had not before.
    fn show(&mut self, state: &State) -> Result<Sentinel>;
}

/// kube-proxy's island, then Waggle's.
pub(super) type Islands<'a> = [&'a mut dyn Island; 2];

/// The judge.
pub(super) struct Judge<'a> {
    pub(super) cluster: &'a mut dyn Cluster,
    pub(super) islands: Islands<'a>,
    pub(super) interrupt: Interrupt,
    pub(super) profile: Profile,
    pub(super) setting: Setting,
    pub(super) report: Report,
}

/// A probe that was answered differently, each time it was asked.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub(super) case: Case,
    pub(super) shot: Shot,
    pub(super) theirs: Outcome,
    pub(super) ours: Outcome,
}

impl Finding {
    /// In words that many findings of one cause share.
    pub(super) fn kind(&self) -> String {
        kind(&self.shot, &self.theirs, &self.ours)
    }
}

impl<'a> Judge<'a> {
    /// One that has seen nothing yet.
    pub(super) fn new(
        cluster: &'a mut dyn Cluster,
        islands: Islands<'a>,
        interrupt: Interrupt,
        profile: Profile,
        setting: Setting,
    ) -> Self {
        Self { cluster, islands, interrupt, profile, setting, report: Report::default() }
    }

    /// Makes a state the one of the namespace, and waits until both islands have it.
    pub(super) fn show(&mut self, state: &State) -> Result<()> {
        let sentinel = self.cluster.show(state)?;
        let started = Instant::now();
        for island in &mut self.islands {
            while !sentinel.has_arrived(&island.probe(&sentinel.probes())?) {
                self.interrupt.check()?;
                if started.elapsed() > PATIENCE {
                    bail!("{} did not follow a change within {PATIENCE:?}", island.name());
                }
            }
        }
        Ok(())
    }

    /// Probes all frontends of some cases, and says what differs without an intention.
    pub(super) fn findings(&mut self, cases: &[Case]) -> Result<Vec<Finding>> {
        self.interrupt.check()?;
        let shots: Vec<(&Case, Shot)> = cases
            .iter()
            .flat_map(|case| case.shots(&self.profile).into_iter().map(move |shot| (case, shot)))
            .collect();
        let mut findings = self.differing(&shots)?;
        for _ in 0..AGAIN {
            if !findings.is_empty() {
                let shots: Vec<(&Case, Shot)> =
                    findings.iter().map(|finding| (&finding.case, finding.shot)).collect();
                let again = self.differing(&shots)?;
                self.report.unconfirmed += findings.len().saturating_sub(again.len());
                findings = again;
            }
        }
        Ok(findings)
    }

    /// Whether the same probe differs, twice, in a cluster that comes to these states.
    pub(super) fn fails(&mut self, states: &[State], finding: &Finding) -> Result<bool> {
        self.cluster.begin();
        let (mut before, mut found) = (&State::default(), Vec::new());
        for state in states {
            self.show(state)?;
            found = cases(before, state);
            before = state;
        }
        found.retain(|case| case.is_like(&finding.case));
        let Probe { sender, to, protocol: _, flows: _ } = finding.shot.probe;
        let shots = found
            .iter()
            .flat_map(|case| case.shots(&self.profile).into_iter().map(move |shot| (case, shot)));
        let same: Vec<(&Case, Shot)> =
            shots.filter(|(_, shot)| shot.probe.sender == sender && shot.probe.to == to).collect();
        Ok(!self.differing(&same)?.is_empty() && !self.differing(&same)?.is_empty())
    }

    /// Those of some shots that differ this time.
    fn differing(&mut self, shots: &[(&Case, Shot)]) -> Result<Vec<Finding>> {
        let probes: Vec<Probe> = shots.iter().map(|(_, shot)| shot.probe).collect();
        let [theirs, ours] = ask(&mut self.islands, &probes)?;
        self.report.probes += probes.len();
        self.report.flows += probes.iter().map(|probe| u64::from(probe.flows)).sum::<u64>();
        let mut findings = Vec::new();
        for ((case, shot), (theirs, ours)) in shots.iter().zip(theirs.into_iter().zip(ours)) {
            if !case.agrees(shot, &theirs, &ours) {
                findings.push(Finding { case: (*case).clone(), shot: *shot, theirs, ours });
            }
        }
        self.without_intended(findings)
    }

    /// What remains of some findings that no intention explains.
    fn without_intended(&mut self, findings: Vec<Finding>) -> Result<Vec<Finding>> {
        let contested = findings.iter().filter_map(|found| Some((found, found.shot.alone?)));
        let alone: Vec<Probe> =
            contested.map(|(found, to)| Probe { to, ..found.shot.probe }).collect();
        // Both are asked, so that flows have the same origins on both in what follows.
        let [alone, _] = match alone[..] {
            [] => Default::default(),
            _ => ask(&mut self.islands, &alone)?,
        };
        let mut alone = alone.into_iter();
        let mut rest = Vec::new();
        for found in findings {
            let alone = found.shot.alone.and_then(|_| alone.next());
            match explanation(&found, self.setting, alone.as_ref()) {
                Some(name) => *self.report.intended.entry(name).or_default() += 1,
                None => rest.push(Finding { theirs: alone.unwrap_or(found.theirs), ..found }),
            }
        }
        Ok(rest)
    }
}

/// Both at once.
fn ask(islands: &mut Islands<'_>, probes: &[Probe]) -> Result<[Vec<Outcome>; 2]> {
    let [theirs, ours] = islands;
    let (theirs, ours) = thread::scope(|scope| {
        let theirs = scope.spawn(|| theirs.probe(probes));
        let ours = ours.probe(probes);
        (theirs.join(), ours)
    });
    Ok([theirs.map_err(|_| anyhow!("a prober panicked"))??, ours?])
}
