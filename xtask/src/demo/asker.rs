//! Who asks.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, bail};
use xtask::{
    topology::{Netns, Pod},
    workload::{Answer, Progress, ask, receive_stream},
};

use super::way::Way;

/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(2);

/// Somebody with a place in the network.
pub(super) enum Asker<'a> {
    /// A pod, or the client outside: what is in a network namespace.
    Within(Netns),
    /// A process of a node: one that is in its cgroup.
    Process(Pod<'a>),
}

impl Asker<'_> {
    /// Asks once.
    pub(super) fn ask(&self, way: &Way) -> Result<Answer> {
        let answer = match self {
            Self::Within(netns) => netns.run(|| ask(way.protocol, way.address, ANSWER))?,
            Self::Process(node) => node.ask(way.protocol, way.address, ANSWER)?,
        };
        Ok(answer?)
    }

    /// Receives a stream to its end.
    pub(super) fn receive(&self, address: SocketAddr, progress: &Progress) -> Result<()> {
        match self {
            Self::Within(netns) => netns.run(|| receive_stream(address, ANSWER, progress))?,
            Self::Process(node) => bail!("{} streams to no process", node.name()),
        }
        .with_context(|| format!("stream from {address} after {} blocks", progress.arrived()))
    }
}
