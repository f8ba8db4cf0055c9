//! What the demo shows, in order; each act ends with a sentence or with what went wrong.

mod affinity;
mod hairpin;
mod host;
mod kill;
mod leave;
mod local;
mod outside;
mod pods;
mod spread;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use xtask::{cluster::PATIENCE, workload::Answer};

use super::{
    asker::Asker,
    board::{Board, Row},
    stage::Stage,
    way::{PUBLIC, SOLO, WEB, Way},
};

/// One thing to be seen.
pub(super) struct Act {
    pub(super) name: &'static str,
    pub(super) play: fn(&mut Stage<'_>, &mut Board) -> Result<String>,
}

/// Everything to be seen.
pub(super) const ALL: [Act; 10] = [
    Act { name: "pod network", play: pods::play },
    Act { name: "spread", play: spread::play },
    Act { name: "hairpin", play: hairpin::play },
    Act { name: "node ports", play: outside::play_node_ports },
    Act { name: "virtual address", play: outside::play_virtual },
    Act { name: "local policy", play: local::play },
    Act { name: "host client", play: host::play },
    Act { name: "affinity", play: affinity::play },
    Act { name: "endpoint removed", play: leave::play },
    Act { name: "agent killed", play: kill::play },
];

/// Between two rounds: slow enough to be watched.
const BEAT: Duration = Duration::from_millis(10);

/// Waits until `done`, which asks something.
fn wait_until(stage: &Stage<'_>, mut done: impl FnMut() -> Result<bool>) -> Result<Duration> {
    let start = Instant::now();
    loop {
        let outcome = done();
        if matches!(outcome, Ok(true)) {
            return Ok(start.elapsed());
        }
        if start.elapsed() > PATIENCE {
            match outcome {
                Ok(_) => bail!("nothing changed for {PATIENCE:?}"),
                Err(error) => bail!("not answered for {PATIENCE:?}, last {error:#}"),
            }
        }
        stage.interrupt().pause(BEAT)?;
    }
}

/// Waits until each way is answered.
fn wait_for_answers(stage: &Stage<'_>, asker: &Asker<'_>, ways: &[Way]) -> Result<()> {
    ways.iter().try_for_each(|way| {
        wait_until(stage, || asker.ask(way).map(|_| true)).with_context(|| way.label()).map(drop)
    })
}

/// Asks once over each way; the answers, or the first failure.
fn ask_all(asker: &Asker<'_>, ways: &[Way], board: &mut Board) -> Result<Vec<Answer>> {
    let mut answers = Vec::new();
    for (row, way) in ways.iter().enumerate() {
        let outcome = asker.ask(way);
        board.count(row, outcome.as_ref().ok());
        answers.push(outcome.with_context(|| format!("{} failed", way.label()))?);
    }
    Ok(answers)
}

/// Asks over each way, round after round, before an audience.
fn rounds(
    stage: &Stage<'_>,
    board: &mut Board,
    title: &'static str,
    asker: &Asker<'_>,
    ways: &[Way],
    count: u32,
) -> Result<Vec<Row>> {
    board.begin(title, ways.iter().map(Way::label));
    let mut outcome = Ok(());
    for _ in 0..count {
        outcome = ask_all(asker, ways, board).and_then(|_| stage.interrupt().pause(BEAT));
        if outcome.is_err() {
            break;
        }
    }
    let rows = board.end();
    outcome.map(|()| rows)
}

/// How many requests were answered.
fn total(rows: &[Row]) -> u32 {
    rows.iter().map(Row::answered).sum()
}
