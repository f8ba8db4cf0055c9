//! Under the Local policy a node answers by its own pod, which sees the client itself.

use anyhow::{Result, ensure};
use xtask::topology::OUTSIDE;

use super::{Board, Stage, Way, outside::ensure_seen, rounds, total, wait_for_answers};
use crate::demo::{
    stage,
    way::{LOCAL_PORTS, Service},
};

const ROUNDS: u32 = 20;

pub(super) fn play(stage: &mut Stage<'_>, board: &mut Board) -> Result<String> {
    let outside = stage.outside()?;
    let ways: Vec<Way> = stage
        .nodes()
        .iter()
        .flat_map(|node| Service::at_node("local", node.addresses(), LOCAL_PORTS).ways())
        .collect();
    wait_for_answers(stage, &outside, &ways)?;
    let title = "outside asks for what is local";
    let rows = rounds(stage, board, title, &outside, &ways, ROUNDS)?;
    for ((row, way), pod) in rows.iter().zip(&ways).zip(stage::WEB.iter().flat_map(|pod| [pod; 4]))
    {
        let only = row.answers.keys().all(|server| server == pod);
        ensure!(only, "{}: answered by {:?}", row.what, row.answers);
        ensure_seen(row, way, &[OUTSIDE.v4.into()].into(), &[OUTSIDE.v6.into()].into())?;
    }
    Ok(format!(
        "{} requests of a client outside, each answered by the asked node's own pod, which sees \
         {} or {}",
        total(&rows),
        OUTSIDE.v4,
        OUTSIDE.v6
    ))
}
