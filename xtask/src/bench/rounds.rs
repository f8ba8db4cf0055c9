//! Round after round of windows, until enough of them were quiet.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{
    agent_start::Start,
    calibration::fastest,
    cpu,
    gate::{Gate, Window},
    generator::Sink,
    metric::{self, Metric, Slot},
    random::Random,
    testbed::Testbed,
    variant::Variant,
};
use crate::{interrupt::Interrupt, progress::say, workspace::Artifacts};

/// How much is to be measured.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    metrics: Vec<Metric>,
    /// Windows of each metric and variant that must have been quiet.
    wanted: usize,
    /// When a metric ends though they are fewer.
    patience: Duration,
}

/// The windows of one metric in one testbed.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) metric: Metric,
    pub(super) variant: Variant,
    pub(super) windows: Vec<Window>,
    /// Entries in the table of flows before and after.
    pub(super) flows: [u64; 2],
}

/// Everything that was measured.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) seed: u64,
    pub(super) cpu: usize,
    /// Whether measured threads went before other work.
    pub(super) is_first: bool,
    pub(super) gate: Gate,
    pub(super) series: Vec<Series>,
    pub(super) starts: Vec<Start>,
}

impl Plan {
    /// The plan of the quick bench or of the whole, for some metrics or for all.
    pub(super) fn new(quick: bool, seed: u64, only: &[Metric]) -> Self {
        let chosen = |metric: &Metric| only.is_empty() || only.contains(metric);
        let metrics = metric::ALL.into_iter().filter(chosen).collect();
        let (wanted, seconds) = if quick { (10, 35) } else { (30, 120) };
        Self { seed, metrics, wanted, patience: Duration::from_secs(seconds) }
    }

    /// The processor that everything measured shares.
    pub(super) fn cpu(&self) -> Result<usize> {
        cpu::last()
    }
}

/// All metrics, one after the other.
pub(super) fn measure(
    plan: &Plan,
    testbeds: &[Testbed<'_>],
    artifacts: &Artifacts,
    interrupt: &Interrupt,
) -> Result<Measured> {
    let cpu = plan.cpu()?;
    let (is_first, calibration) = calibrate(cpu)?;
    let (gate, random) = (Gate::new(calibration), Random::new(plan.seed));
    let mut rounds = Rounds { plan, testbeds, artifacts, interrupt, cpu, gate, random };
    let mut series = Vec::new();
    for &metric in &plan.metrics {
        let start = Instant::now();
        series.extend(rounds.play(metric)?);
        say(&format!("{}: {:.0} s", metric.name(), start.elapsed().as_secs_f64()));
    }
    let gate = rounds.gate;
    Ok(Measured { seed: plan.seed, cpu, is_first, gate, series, starts: Vec::new() })
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
    gate: Gate,
    random: Random,
}

impl Rounds<'_> {
    /// The windows of one metric.
    fn play(&mut self, metric: Metric) -> Result<Vec<Series>> {
        let start = Instant::now();
        let mut windows = vec![Vec::new(); self.testbeds.len()];
        let before = self.flows()?;
        let sinks = self.sinks(metric)?;
        for round in 0..metric.rounds() {
            self.round(metric, round, &sinks, &mut windows)?;
            let is_enough = |windows: &Vec<_>| self.gate.values(windows).len() >= self.plan.wanted;
            if windows.iter().all(is_enough) || start.elapsed() > self.plan.patience {
                break;
            }
        }
        drop(sinks);
        self.set_drivers(false)?;
        let flows = before.into_iter().zip(self.flows()?);
        let series = self.testbeds.iter().zip(windows).zip(flows);
        let series = series.map(|((testbed, windows), (before, after))| Series {
            metric,
            variant: testbed.variant,
            windows,
            flows: [before, after],
        });
        Ok(series.collect())
    }

    /// One window in each testbed.
    fn round(
        &mut self,
        metric: Metric,
        round: usize,
        sinks: &[Sink],
        windows: &mut [Vec<Window>],
    ) -> Result<()> {
        let mut order: Vec<usize> = (0..self.testbeds.len()).collect();
        self.random.shuffle(&mut order);
        for index in order {
            self.interrupt.check()?;
            let (cpu, limit, sink) = (self.cpu, self.gate.limit(), sinks.get(index));
            let slot = Slot { testbed: &self.testbeds[index], sink, round, cpu, limit };
            let window = metric.window(slot)?;
            self.gate.learn(&window);
            windows[index].push(window);
        }
        Ok(())
    }

    /// The frames' ends, if the metric sends any.
    fn sinks(&self, metric: Metric) -> Result<Vec<Sink>> {
        if !metric.is_live() {
            return Ok(Vec::new());
        }
        self.set_drivers(true)?;
        self.testbeds.iter().map(Testbed::sink).collect()
    }

    fn set_drivers(&self, on: bool) -> Result<()> {
        self.testbeds.iter().try_for_each(|testbed| testbed.set_driver(on))
    }

    fn flows(&self) -> Result<Vec<u64>> {
        self.testbeds.iter().map(|testbed| testbed.flows(self.artifacts)).collect()
    }
}
