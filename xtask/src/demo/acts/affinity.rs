//! A client keeps its server until it was silent for as long as the Service says.

use std::time::Duration;

use anyhow::{Result, bail, ensure};

use super::{Board, Row, Stage, Way, rounds, wait_for_answers};
use crate::demo::way::STICKY;

/// Longer than manifests/demo/services.yaml says: clocks of affinity count whole seconds.
const SILENCE: Duration = Duration::from_millis(3_100);

const ROUNDS: u32 = 15;

/// Four choices among three pods are the same as before once in 81 times.
const TRIES: u32 = 5;

pub(super) fn play(stage: &mut Stage<'_>, board: &mut Board) -> Result<String> {
    let (client, ways) = (stage.client()?, STICKY.ways());
    wait_for_answers(stage, &client, &ways)?;
    let title = "a Service with affinity";
    let held = servers(&rounds(stage, board, title, &client, &ways, ROUNDS)?)?;
    for _ in 0..TRIES {
        stage.interrupt().pause(SILENCE)?;
        let title = "the same after some silence";
        if servers(&rounds(stage, board, title, &client, &ways, ROUNDS)?)? != held {
            let ways = ways.iter().map(Way::label).count();
            return Ok(format!(
                "one server for each of {ways} ways, and others after {} ms without a request",
                SILENCE.as_millis()
            ));
        }
    }
    bail!("after {TRIES} times {SILENCE:?} of silence each way still has the server it had");
}

/// The one server of each way.
fn servers(rows: &[Row]) -> Result<Vec<String>> {
    let only = |Row { what, answers, .. }: &Row| {
        let mut servers: Vec<String> = answers.keys().cloned().collect();
        ensure!(servers.len() == 1, "{what}: answered by {answers:?}");
        Ok(servers.remove(0))
    };
    rows.iter().map(only).collect()
}
