//! The agent is killed and started again while connections stream and requests come.

use std::{net::SocketAddr, thread};

use anyhow::{Context as _, Result};
use xtask::workload::{BLOCK, Progress, Protocol};

use super::{Asker, Board, Stage, WEB, rounds, total, wait_until};
use crate::demo::stage;

/// Blocks of each stream that arrive before the agent is killed.
const BEFORE: u32 = 40;

/// Rounds of requests while there is no agent.
const ROUNDS: u32 = 40;

pub(super) fn play(stage: &mut Stage<'_>, board: &mut Board) -> Result<String> {
    let client = stage.client()?;
    let streams: Vec<(SocketAddr, Progress)> = WEB
        .ways()
        .iter()
        .filter(|way| way.protocol == Protocol::Tcp)
        .map(|way| (way.address, Progress::new()))
        .collect();
    let asked = thread::scope(|scope| {
        let receivers: Vec<_> = streams
            .iter()
            .map(|(address, progress)| scope.spawn(|| client.receive(*address, progress)))
            .collect();
        let outcome = kill_amid(stage, board, &client, &streams);
        streams.iter().for_each(|(_, progress)| progress.finish());
        for receiver in receivers {
            receiver.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        outcome
    })?;
    let bytes: usize =
        streams.iter().map(|(_, progress)| progress.arrived() as usize * BLOCK).sum();
    Ok(format!(
        "killed with -9 and restarted under two streams, of which all {bytes} bytes arrived; \
         {asked} requests without an agent, none failed; an edit reached the new one"
    ))
}

fn kill_amid(
    stage: &mut Stage<'_>,
    board: &mut Board,
    client: &Asker<'_>,
    streams: &[(SocketAddr, Progress)],
) -> Result<u32> {
    wait_until(stage, || Ok(streams.iter().all(|(_, progress)| progress.arrived() >= BEFORE)))
        .context("waiting for the streams")?;
    kill_and_restart(stage, board, client)
}

/// Requests without an agent; then a new one, which must follow an edit.
fn kill_and_restart(stage: &mut Stage<'_>, board: &mut Board, client: &Asker<'_>) -> Result<u32> {
    let ways = WEB.ways();
    stage.kill_agent()?;
    let rows = rounds(stage, board, "no agent on node-a", client, &ways, ROUNDS)?;
    stage.restart_agent()?;
    let [.., returns] = stage::WEB;
    stage.set_endpoints(WEB.name, &stage::WEB)?;
    wait_until(stage, || client.ask(&ways[0]).map(|answer| answer.server == returns))
        .with_context(|| format!("waiting for {returns} to answer again"))?;
    Ok(total(&rows))
}
