//! A pod reaches itself through a Service that has nobody else.

use anyhow::{Result, ensure};

use super::{Board, SOLO, Stage, rounds, total, wait_for_answers};
use crate::demo::stage::CLIENT;

const ROUNDS: u32 = 20;

pub(super) fn play(stage: &mut Stage<'_>, board: &mut Board) -> Result<String> {
    let (client, ways) = (stage.client()?, SOLO.ways());
    wait_for_answers(stage, &client, &ways)?;
    let rows = rounds(stage, board, "a Service that is its own client", &client, &ways, ROUNDS)?;
    for row in &rows {
        let only = row.answers.keys().all(|server| server == CLIENT);
        ensure!(only, "{}: answered by {:?}", row.what, row.answers);
    }
    Ok(format!("{} requests of a pod to a Service that is itself, all answered", total(&rows)))
}
