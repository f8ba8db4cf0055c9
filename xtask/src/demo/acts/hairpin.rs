//! A pod reaches itself through a Service that has nobody else.

use anyhow::{Result, ensure};

use super::{BEAT, Board, SOLO, Stage, Way, all_answered, wait_until};
use crate::demo::stage::CLIENT;

const ROUNDS: u32 = 20;

pub(super) fn play(stage: &mut Stage<'_>, board: &mut Board) -> Result<String> {
    let (client, interrupt, ways) = (stage.client()?, stage.interrupt(), SOLO.ways());
    client.run(|| {
        for way in &ways {
            wait_until(stage, || way.ask().map(|_| true))?;
        }
        board.begin(ways.iter().map(Way::label));
        for _ in 0..ROUNDS {
            for (row, way) in ways.iter().enumerate() {
                board.count(row, way.ask());
            }
            interrupt.pause(BEAT)?;
        }
        anyhow::Ok(())
    })??;
    let rows = board.end();
    let total = all_answered(&rows)?;
    for row in &rows {
        let only = row.answers.keys().all(|server| server == CLIENT);
        ensure!(only, "{}: answered by {:?}", row.what, row.answers);
    }
    Ok(format!("{total} requests of a pod to a Service that is itself, all answered"))
}
