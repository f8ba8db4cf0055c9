//! Round after round of windows, until enough of them were quiet.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{
    agent_start::Start,
    calibration::fastest,
    choice::Choice,
    cpu,
    gate::{Gate, Window},
    metric::{self, Metric},
    probe::Probe,
    summary::Row,
    testbed::Testbed,
    variant::Variant,
};
use crate::{interrupt::Interrupt, progress::say, random::Random, workspace::Artifacts};

/// Between two windows: what else runs on the processor has its time then and not within one.
const PAUSE: Duration = Duration::from_millis(1);

/// How much is to be measured.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    metrics: Vec<Metric>,
    /// Quiet pairs of each variant, by the strictest gate, that end a metric.
    wanted: usize,
    /// When a metric ends though they are fewer.
    patience: Duration,
}

/// The windows of one metric, and the gate for all of them.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) metric: Metric,
    /// None by which each variant has enough quiet pairs.
    pub(super) gate: Option<Gate>,
    pub(super) tracks: Vec<Track>,
}

/// The windows of one metric in one testbed, one of each round.
#[derive(Clone, Debug)]
pub(super) struct Track {
    pub(super) variant: Variant,
    pub(super) windows: Vec<Window>,
    /// Entries in the table of flows afterwards.
    pub(super) flows: u64,
}

/// Everything that was measured.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) seed: u64,
    pub(super) cpu: usize,
    /// Whether measured threads went before other work.
    pub(super) is_first: bool,
    /// The fastest calibration.
    pub(super) floor: u64,
    pub(super) series: Vec<Series>,
    pub(super) starts: Vec<Start>,
    /// What is measured by other means.
    pub(super) others: Vec<Row>,
}

impl Series {
    /// The windows that the others' are compared with.
    pub(super) fn reference(&self) -> &[Window] {
        let reference = self.metric.reference();
        let track = self.tracks.iter().find(|track| track.variant == reference);
        track.map_or(&[], |track| &track.windows)
    }

    fn choose_gate(&mut self) {
        let all: Vec<&[Window]> = self.tracks.iter().map(|track| &*track.windows).collect();
        self.gate = Gate::choose(&all, self.reference());
    }

    /// Whether the strictest gate leaves so many pairs to each variant.
    fn has(&self, wanted: usize) -> bool {
        let (gate, reference) = (Gate::strict(), self.reference());
        self.tracks.iter().all(|track| gate.pairs(&track.windows, reference).len() >= wanted)
    }
}

impl Plan {
    /// The plan of the quick bench or of the whole, for some metrics or for all.
    pub(super) fn new(quick: bool, seed: u64, only: &[Choice]) -> Self {
        let chosen = |metric: &Metric| only.is_empty() || only.contains(&Choice::Windows(*metric));
        let pods = only.contains(&Choice::Pods) || (only.is_empty() && !quick);
        let of_pods = metric::PODS.into_iter().filter(|_| pods);
        let metrics = metric::ALL.into_iter().filter(chosen).chain(of_pods).collect();
        let (wanted, seconds) = if quick { (100, 18) } else { (400, 60) };
        Self { seed, metrics, wanted, patience: Duration::from_secs(seconds) }
    }

    /// The variants that any metric compares.
    pub(super) fn variants(&self) -> BTreeSet<Variant> {
        self.metrics.iter().flat_map(|metric| metric.variants()).copied().collect()
    }

    /// The processor that everything measured shares.
    pub(super) fn cpu(&self) -> Result<usize> {
        cpu::last()
    }
}

/// All metrics, one after the other.
pub(super) fn measure<'a>(
    plan: &'a Plan,
    testbeds: &'a [Testbed<'a>],
    artifacts: &'a Artifacts,
    interrupt: &'a Interrupt,
) -> Result<Measured> {
    let cpu = plan.cpu()?;
    let (is_first, floor) = calibrate(cpu)?;
    let random = Random::new(plan.seed);
    let mut rounds = Rounds { plan, testbeds, artifacts, interrupt, cpu, floor, random };
    let mut series = Vec::new();
    for &metric in &plan.metrics {
        let start = Instant::now();
        series.push(rounds.play(metric)?);
        say(&format!("{}: {:.0} s", metric.name(), start.elapsed().as_secs_f64()));
    }
    let floor = rounds.floor;
    series.iter_mut().for_each(Series::choose_gate);
    Ok(Measured {
        seed: plan.seed,
        cpu,
        is_first,
        floor,
        series,
        starts: Vec::new(),
        others: Vec::new(),
    })
}

/// How fast the machine is, on a thread as those of the windows.
fn calibrate(cpu: usize) -> Result<(bool, u64)> {
    std::thread::scope(|scope| {
        let calibrated = scope.spawn(|| anyhow::Ok((cpu::claim(cpu)?, fastest(200))));
        calibrated.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// What goes on from metric to metric.
struct Rounds<'a> {
    plan: &'a Plan,
    testbeds: &'a [Testbed<'a>],
    artifacts: &'a Artifacts,
    interrupt: &'a Interrupt,
    cpu: usize,
    floor: u64,
    random: Random,
}

impl<'a> Rounds<'a> {
    /// The windows of one metric.
    fn play(&mut self, metric: Metric) -> Result<Series> {
        let start = Instant::now();
        let compared = metric.variants();
        let testbeds: Vec<&'a Testbed<'a>> =
            self.testbeds.iter().filter(|testbed| compared.contains(&testbed.variant)).collect();
        let mut probes = self.prepare(metric, &testbeds)?;
        let tracks = testbeds.iter().map(|testbed| testbed.variant);
        let tracks = tracks.map(|variant| Track { variant, windows: Vec::new(), flows: 0 });
        let mut series = Series { metric, gate: None, tracks: tracks.collect() };
        for _ in 0..metric.rounds() {
            self.round(&mut probes, &mut series.tracks)?;
            if series.has(self.plan.wanted) || start.elapsed() > self.plan.patience {
                break;
            }
        }
        for (track, testbed) in series.tracks.iter_mut().zip(&testbeds) {
            track.flows = testbed.flows(self.artifacts)?;
        }
        Ok(series)
    }

    /// One window in each testbed.
    fn round(&mut self, probes: &mut [Probe<'_>], tracks: &mut [Track]) -> Result<()> {
        let mut order: Vec<usize> = (0..probes.len()).collect();
        self.random.shuffle(&mut order);
        let mut floor = u64::MAX;
        for index in order {
            self.interrupt.pause(PAUSE)?;
            let window = probes[index].window()?;
            floor = floor.min(window.floor);
            tracks[index].windows.push(window);
        }
        let round = tracks.iter_mut().filter_map(|track| track.windows.last_mut());
        round.for_each(|window| window.floor = floor);
        self.floor = self.floor.min(floor);
        Ok(())
    }

    /// What makes the windows, over tables without flows of earlier metrics.
    fn prepare(&self, metric: Metric, testbeds: &[&'a Testbed<'a>]) -> Result<Vec<Probe<'a>>> {
        let probe = |testbed: &&'a Testbed<'a>| {
            testbed.set_driver(metric.is_live())?;
            testbed.forget_flows()?;
            metric.probe(testbed, self.cpu)
        };
        testbeds.iter().map(probe).collect()
    }
}
