//! The two pods, whoever wired them.

use std::{net::Ipv4Addr, path::Path, process::Command};

use anyhow::Result;
use xtask::topology::{Netns, Node};

/// Name of the pod that asks.
pub(super) const CLIENT: &str = "client";

/// Name of the pod that answers.
pub(super) const BACKEND: &str = "backend";

/// Both pods.
#[derive(Clone, Debug)]
pub(super) struct Pods {
    pub(super) client: Netns,
    pub(super) client_address: Ipv4Addr,
    pub(super) backend: Netns,
    pub(super) backend_address: Ipv4Addr,
}

/// A command in a pod, in the node's own cgroup.
pub(in crate::bench) fn command(node: &Node, pod: &str, program: &Path) -> Result<Command> {
    let mut command = node.command("nsenter")?;
    command.args(arguments(pod, program));
    Ok(command)
}

/// How `nsenter` is told to run a program in a pod.
pub(in crate::bench) fn arguments(pod: &str, program: &Path) -> [String; 3] {
    [format!("--net=/run/netns/{pod}"), "--".to_owned(), program.display().to_string()]
}
