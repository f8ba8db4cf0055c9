//! Requests to one cluster address are answered by local and remote pods.

use anyhow::{Result, ensure};

use super::{BEAT, Board, Stage, WEB, Way, all_answered, wait_until};
use crate::demo::stage;

const ROUNDS: u32 = 60;

pub(super) fn play(stage: &mut Stage<'_>, board: &mut Board) -> Result<String> {
    let (client, interrupt, ways) = (stage.client()?, stage.interrupt(), WEB.ways());
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
        for pod in stage::WEB {
            ensure!(row.answers.contains_key(pod), "{}: {pod} never answered", row.what);
        }
    }
    Ok(format!("{total} requests from one pod, all answered, by all three pods on both nodes"))
}
