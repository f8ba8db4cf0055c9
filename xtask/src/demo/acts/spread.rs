//! Requests to one cluster address are answered by local and remote pods.

use anyhow::{Result, ensure};

use super::{Board, Row, Stage, WEB, rounds, total, wait_for_answers};
use crate::demo::stage;

const ROUNDS: u32 = 60;

pub(super) fn play(stage: &mut Stage<'_>, board: &mut Board) -> Result<String> {
    let (client, ways) = (stage.client()?, WEB.ways());
    wait_for_answers(stage, &client, &ways)?;
    let rows = rounds(stage, board, "a Service with three pods", &client, &ways, ROUNDS)?;
    rows.iter().try_for_each(all_answered)?;
    let total = total(&rows);
    Ok(format!("{total} requests from one pod, all answered, by all three pods on three nodes"))
}

/// Whether each pod of the Service is among those who answered.
pub(super) fn all_answered(row: &Row) -> Result<()> {
    stage::WEB.iter().try_for_each(|pod| {
        ensure!(row.answers.contains_key(*pod), "{}: {pod} never answered", row.what);
        Ok(())
    })
}
