//! The agent is killed and started again while connections stream and requests come.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use anyhow::{Context as _, Result, ensure};
use xtask::{
    topology::Netns,
    workload::{BLOCK, Protocol, receive_stream},
};

use super::{ANSWER, Board, Stage, WEB, rounds, total, wait_until};
use crate::demo::stage;

/// Blocks of each stream, some five seconds of them.
const BLOCKS: u32 = 2500;

/// Blocks that arrive before the agent is killed.
const BEFORE: u32 = 100;

/// Rounds of requests while there is no agent.
const ROUNDS: u32 = 40;

pub(super) fn play(stage: &mut Stage<'_>, board: &mut Board) -> Result<String> {
    let client = stage.client()?;
    let streams: Vec<(SocketAddr, AtomicU32)> = WEB
        .ways()
        .iter()
        .filter(|way| way.protocol == Protocol::Tcp)
        .map(|way| (way.address, AtomicU32::new(0)))
        .collect();
    let asked = thread::scope(|scope| {
        let receivers: Vec<_> = streams
            .iter()
            .map(|(address, arrived)| scope.spawn(|| receive(&client, *address, arrived)))
            .collect();
        let arrived = || streams.iter().map(|(_, count)| count.load(Ordering::Relaxed));
        wait_until(stage, || Ok(arrived().all(|count| count >= BEFORE)))
            .context("waiting for the streams")?;
        let asked = kill_and_restart(stage, board, &client)?;
        let mid_stream = arrived().all(|count| count < BLOCKS);
        ensure!(mid_stream, "the streams ended before the agent was back");
        for receiver in receivers {
            receiver.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        Ok(asked)
    })?;
    Ok(format!(
        "killed with -9 and restarted under two streams of {} bytes, which arrived whole; {asked} \
         requests without an agent, none failed; an edit reached the new one",
        BLOCKS as usize * BLOCK
    ))
}

fn receive(client: &Netns, address: SocketAddr, arrived: &AtomicU32) -> Result<()> {
    client
        .run(|| receive_stream(address, BLOCKS, ANSWER, arrived))?
        .with_context(|| format!("stream from {address} after {arrived:?} of {BLOCKS} blocks"))
}

/// Requests without an agent; then a new one, which must follow an edit.
fn kill_and_restart(stage: &mut Stage<'_>, board: &mut Board, client: &Netns) -> Result<u32> {
    let ways = WEB.ways();
    stage.kill_agent()?;
    let rows = rounds(stage, board, "no agent on node-a", &ways, ROUNDS)?;
    stage.restart_agent()?;
    let [.., returns] = stage::WEB;
    stage.set_endpoints(WEB.name, &stage::WEB)?;
    client
        .run(|| wait_until(stage, || ways[0].ask().map(|server| server == returns)))?
        .with_context(|| format!("waiting for {returns} to answer again"))?;
    Ok(total(&rows))
}
