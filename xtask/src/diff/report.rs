//! What a run did and what it found.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use super::{compare::words, judge::Finding, state::State};

/// What was done, counted.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) clusters: usize,
    pub(super) cases: usize,
    /// Cases in which something differs.
    pub(super) failed: usize,
    pub(super) probes: usize,
    pub(super) flows: u64,
    /// Probes that differed once and agreed when they were asked again.
    pub(super) unconfirmed: usize,
    /// Probes that differ as docs/differences.md says.
    pub(super) intended: BTreeMap<&'static str, usize>,
    /// What differs otherwise, by [`Finding::kind`].
    pub(super) failures: BTreeMap<String, Failure>,
}

/// What differs in one way.
#[derive(Debug)]
pub(super) struct Failure {
    /// How many probes do.
    pub(super) probes: usize,
    /// Where the first of them was.
    pub(super) origin: String,
    pub(super) first: Finding,
    /// The states that lead to it, if they could be made few and small.
    pub(super) shrunk: Option<Vec<State>>,
}

impl Report {
    /// Counts a finding; says whether it is the first of its kind.
    pub(super) fn add(&mut self, finding: &Finding, origin: &str) -> bool {
        let failure = self.failures.entry(finding.kind()).or_insert_with(|| Failure {
            probes: 0,
            origin: origin.to_owned(),
            first: finding.clone(),
            shrunk: None,
        });
        failure.probes += 1;
        failure.probes == 1
    }

    /// Has a failure of that kind told with the states that lead to it.
    pub(super) fn note_shrunk(&mut self, kind: &str, states: Vec<State>) {
        if let Some(failure) = self.failures.get_mut(kind) {
            failure.shrunk = Some(states);
        }
    }

    /// Adds what another run did and found.
    pub(super) fn take(&mut self, other: Self) {
        let Self { clusters, cases, failed, probes, flows, unconfirmed, intended, failures } =
            other;
        self.clusters += clusters;
        self.cases += cases;
        self.failed += failed;
        self.probes += probes;
        self.flows += flows;
        self.unconfirmed += unconfirmed;
        for (name, count) in intended {
            *self.intended.entry(name).or_default() += count;
        }
        self.failures.extend(failures);
    }

    /// All that differs, in words.
    pub(super) fn text(&self) -> String {
        let mut text: String =
            self.failures.iter().map(|(name, failure)| failure.text(name)).collect();
        for (name, count) in &self.intended {
            // Writing to a text cannot fail.
            let _ = writeln!(text, "{count} probes differ as intended: {name}");
        }
        text
    }

    /// What was done, in a line.
    pub(super) fn line(&self, time: Duration) -> String {
        let Self { clusters, cases, failed, probes, flows, unconfirmed, failures, .. } = self;
        let seconds = time.as_secs_f64();
        format!(
            "{clusters} clusters, {cases} cases, {probes} probes, {flows} flows in {seconds:.0} s; \
             {unconfirmed} probes differed once; {failed} cases differ without an intention, in {} \
             ways",
            failures.len()
        )
    }
}

impl Failure {
    fn text(&self, name: &str) -> String {
        let Self { probes, origin, first, shrunk } = self;
        let Finding { case, shot, theirs, ours } = first;
        let mut text = format!(
            "--- {name} ({probes} probes)\nfirst {case} at {} in {origin}\n  kube-proxy: {}\n  \
             Waggle:     {}\n",
            shot.probe.to,
            words(theirs),
            words(ours)
        );
        for (number, state) in (1..).zip(shrunk.iter().flatten()) {
            let objects = serde_saphyr::to_string(&state.objects()).unwrap_or_default();
            let _ = write!(text, "state {number}:\n{objects}");
        }
        text
    }
}
