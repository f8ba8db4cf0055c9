//! An endpoint leaves a Service while requests come, and none fails.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use xtask::cluster::PATIENCE;

use super::{BEAT, Board, Stage, WEB, Way, ask_all, total};
use crate::demo::stage;

/// Rounds before the edit.
const BEFORE: u32 = 30;

/// Rounds without the pod after which it counts as gone: one answer in three would be its own.
const QUIET: u32 = 30;

pub(super) fn play(stage: &mut Stage<'_>, board: &mut Board) -> Result<String> {
    let ways = WEB.ways();
    board.begin("an endpoint leaves", ways.iter().map(Way::label));
    let outcome = ask_while_one_leaves(stage, board, &ways);
    let rows = board.end();
    Ok(format!(
        "{} taken out of the YAML, last answer {} ms later; {} requests meanwhile, none failed",
        stage::WEB[2],
        outcome?.as_millis(),
        total(&rows)
    ))
}

/// How long after the edit the pod answered last.
fn ask_while_one_leaves(stage: &Stage<'_>, board: &mut Board, ways: &[Way]) -> Result<Duration> {
    let (client, [stays, also_stays, leaves]) = (stage.client()?, stage::WEB);
    for _ in 0..BEFORE {
        ask_all(&client, ways, board)?;
        stage.interrupt().pause(BEAT)?;
    }
    stage.set_endpoints(WEB.name, &[stays, also_stays])?;
    let edit = Instant::now();
    let (mut quiet, mut last) = (0, Duration::ZERO);
    while quiet < QUIET {
        quiet += 1;
        if ask_all(&client, ways, board)?.iter().any(|answer| answer.server == leaves) {
            (quiet, last) = (0, edit.elapsed());
        }
        ensure!(edit.elapsed() < PATIENCE, "{leaves} still answers after {PATIENCE:?}");
        stage.interrupt().pause(BEAT)?;
    }
    Ok(last)
}
