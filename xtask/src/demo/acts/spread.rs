//! Requests to one cluster address are answered by local and remote pods.

use anyhow::{Result, ensure};

use super::{Board, Stage, WEB, rounds, total, wait_until};
use crate::demo::stage;

const ROUNDS: u32 = 60;

pub(super) fn play(stage: &mut Stage<'_>, board: &mut Board) -> Result<String> {
    let ways = WEB.ways();
    stage.client()?.run(|| {
        ways.iter().try_for_each(|way| wait_until(stage, || way.ask().map(|_| true)).map(drop))
    })??;
    let rows = rounds(stage, board, "a Service with three pods", &ways, ROUNDS)?;
    for row in &rows {
        for pod in stage::WEB {
            ensure!(row.answers.contains_key(pod), "{}: {pod} never answered", row.what);
        }
    }
    let total = total(&rows);
    Ok(format!("{total} requests from one pod, all answered, by all three pods on three nodes"))
}
