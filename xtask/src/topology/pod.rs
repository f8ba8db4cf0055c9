//! A network namespace of a node that workload runs in.

use std::{io, net::SocketAddr, time::Duration};

use anyhow::Result;

use super::{Netns, Node, Process, netns::run};
use crate::workload::{
    ASK, Answer, BESIDE, PATH, PEERS, Peers, Protocol, SERVER, Talk, beside_told, peers_told, told,
};

/// A pod, or the node itself in the place of one on the host's network.
#[derive(Debug)]
pub struct Pod<'a> {
    node: &'a Node,
    name: String,
    netns: Netns,
}

impl<'a> Pod<'a> {
    pub(super) fn new(node: &'a Node, name: &str, netns: Netns) -> Self {
        Self { node, name: name.to_owned(), netns }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its node.
    #[must_use]
    pub fn node(&self) -> &'a Node {
        self.node
    }

    /// Its network namespace, seen from outside the node.
    #[must_use]
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// Starts the server that answers TCP and UDP on a port with the pod's name.
    pub fn serve(&self, port: u16) -> Result<Process> {
        self.node.start_workload(&self.netns, &self.name, &[SERVER, &self.name, &port.to_string()])
    }

    /// Asks from a process of its own, which is in the node's cgroup: a thread of the caller that
    /// enters the network namespace is not.
    pub fn ask(
        &self,
        protocol: Protocol,
        address: SocketAddr,
        patience: Duration,
    ) -> Result<io::Result<Answer>> {
        let mut command = self.node.workload(&self.netns)?;
        command.args([ASK, protocol.name(), &address.to_string()]);
        command.arg(patience.as_millis().to_string());
        Ok(told(&String::from_utf8(run(&mut command)?)?))
    }

    /// Talks from a process of its own, as [`Self::ask`] does, and says who its peer is.
    pub fn peers(
        &self,
        talk: Talk,
        address: SocketAddr,
        patience: Duration,
    ) -> Result<io::Result<Peers>> {
        let mut command = self.node.workload(&self.netns)?;
        command.args([PEERS, talk.name(), &address.to_string()]);
        command.arg(patience.as_millis().to_string());
        Ok(peers_told(&String::from_utf8(run(&mut command)?)?))
    }

    /// Talks to two addresses from a process of its own, by one port of its own for both.
    pub fn beside(
        &self,
        talk: Talk,
        port: u16,
        [first, second]: [SocketAddr; 2],
        patience: Duration,
    ) -> Result<io::Result<[Answer; 2]>> {
        let mut command = self.node.workload(&self.netns)?;
        command.args([BESIDE, talk.name(), &port.to_string()]);
        command.args([first.to_string(), second.to_string()]);
        command.arg(patience.as_millis().to_string());
        Ok(beside_told(&String::from_utf8(run(&mut command)?)?))
    }

    /// What a socket of a process of its own learns of the path to an address, as
    /// [`path_and_tell`](crate::workload::path_and_tell) writes it.
    pub fn path(&self, address: SocketAddr, patience: Duration) -> Result<String> {
        let mut command = self.node.workload(&self.netns)?;
        command.args([PATH, &address.to_string(), &patience.as_millis().to_string()]);
        Ok(String::from_utf8(run(&mut command)?)?.trim().to_owned())
    }
}
