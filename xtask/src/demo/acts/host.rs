//! Processes of a node reach a cluster address and NodePorts, those of their own node and others.

use anyhow::Result;

use super::{Board, PUBLIC, Row, Stage, WEB, Way, rounds, total, wait_for_answers};
use crate::demo::way::{PUBLIC_PORTS, Service};

const ROUNDS: u32 = 5;

pub(super) fn play(stage: &mut Stage<'_>, board: &mut Board) -> Result<String> {
    let process = stage.host_process();
    let nodes = stage.nodes().iter();
    let ways: Vec<Way> = nodes
        .map(|node| Service::at_node(PUBLIC.name, node.addresses(), PUBLIC_PORTS))
        .chain([WEB, PUBLIC])
        .flat_map(|service| service.ways())
        .collect();
    wait_for_answers(stage, &process, &ways)?;
    let rows = rounds(stage, board, "a process of node-a asks", &process, &ways, ROUNDS)?;
    let servers = rows.iter().flat_map(|Row { answers, .. }| answers.keys());
    let servers = servers.collect::<std::collections::BTreeSet<_>>().len();
    Ok(format!(
        "{} requests of processes of node-a to a cluster address, a virtual address and the \
         NodePorts of three nodes, all answered, by {servers} pods",
        total(&rows)
    ))
}
