//! A pod reaches itself through a Service that has nobody else.

use anyhow::{Result, ensure};

use super::{Board, SOLO, Stage, rounds, total, wait_until};
use crate::demo::stage::CLIENT;

const ROUNDS: u32 = 20;

pub(super) fn play(stage: &mut Stage<'_>, board: &mut Board) -> Result<String> {
    let ways = SOLO.ways();
    stage.client()?.run(|| {
        ways.iter().try_for_each(|way| wait_until(stage, || way.ask().map(|_| true)).map(drop))
    })??;
    let rows = rounds(stage, board, "a Service that is its own client", &ways, ROUNDS)?;
    for row in &rows {
        let only = row.answers.keys().all(|server| server == CLIENT);
        ensure!(only, "{}: answered by {:?}", row.what, row.answers);
    }
    Ok(format!("{} requests of a pod to a Service that is itself, all answered", total(&rows)))
}
