//! Flows of the node itself, begun by a process in its network namespace and its cgroup, since that
//! is where sockets are translated.

mod worker;

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    process::{Child, ChildStdin, ChildStdout, Stdio},
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use xtask::topology::Node;

pub(super) use self::worker::{WORKER, work};
use super::probe::Protocol;

/// A flow to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Start {
    /// Stands in the first packet.
    pub(super) number: u32,
    pub(super) to: SocketAddr,
    pub(super) protocol: Protocol,
}

/// What the process is told, a line of JSON each; it answers each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Order {
    /// Begins flows; answered by no numbers when all have begun.
    Begin(Vec<Start>),
    /// Ends them; answered by the numbers of those that were refused.
    End,
}

/// The process.
#[derive(Debug)]
pub(super) struct Sockets {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Sockets {
    /// Starts it.
    pub(super) fn start(node: &Node) -> Result<Self> {
        let tool = std::env::current_exe().context("finding this program")?;
        let mut command = node.command(tool)?;
        command.arg(WORKER).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().context("starting the node's own sender")?;
        let (orders, answers) = (process.stdin.take(), process.stdout.take());
        let orders = orders.context("the node's own sender has no input")?;
        let answers = BufReader::new(answers.context("the node's own sender has no output")?);
        Ok(Self { process, orders, answers })
    }

    /// Begins flows.
    pub(super) fn begin(&mut self, starts: Vec<Start>) -> Result<()> {
        self.order(&Order::Begin(starts))
    }

    /// Waits until all have begun.
    pub(super) fn wait_begun(&mut self) -> Result<()> {
        self.answer().map(drop)
    }

    /// Ends them, and names those that were refused.
    pub(super) fn end(&mut self) -> Result<Vec<u32>> {
        self.order(&Order::End)?;
        self.answer()
    }

    fn order(&mut self, order: &Order) -> Result<()> {
        let line = serde_json::to_string(order)? + "\n";
        self.orders.write_all(line.as_bytes()).context("the node's own sender has ended")
    }

    fn answer(&mut self) -> Result<Vec<u32>> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        serde_json::from_str(&line).context("the node's own sender has failed, and said why")
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        // A drop cannot fail; the sweep of the network ends what this does not.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
