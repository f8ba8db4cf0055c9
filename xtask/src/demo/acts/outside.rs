//! A client outside reaches a Service at each node and at a virtual address; servers see a node.

use std::{collections::BTreeSet, net::IpAddr};

use anyhow::{Result, ensure};
use xtask::topology::NodeAddresses;

use super::{Board, Row, Stage, Way, rounds, spread::all_answered, total, wait_for_answers};
use crate::demo::way::{PUBLIC, PUBLIC_PORTS, Service};

const ROUNDS: u32 = 30;

pub(super) fn play_node_ports(stage: &mut Stage<'_>, board: &mut Board) -> Result<String> {
    let mut asked = 0;
    for (node, title) in stage.nodes().iter().zip([
        "outside asks node-a for a NodePort",
        "outside asks node-b for a NodePort",
        "outside asks node-c for a NodePort",
    ]) {
        let ways = Service::at_node(PUBLIC.name, node.addresses(), PUBLIC_PORTS).ways();
        asked += play(stage, board, title, &ways, node.addresses())?;
    }
    Ok(format!(
        "{asked} requests of a client outside to three nodes, all answered, by all three pods; \
         servers see the node that was asked"
    ))
}

pub(super) fn play_virtual(stage: &mut Stage<'_>, board: &mut Board) -> Result<String> {
    let title = "outside asks a virtual address";
    let asked = play(stage, board, title, &PUBLIC.ways(), stage.nodes()[0].addresses())?;
    Ok(format!("{asked} requests to addresses that are routed to node-a, all answered"))
}

/// Asks, and compares whom the servers saw with the one node they are to see.
fn play(
    stage: &Stage<'_>,
    board: &mut Board,
    title: &'static str,
    ways: &[Way],
    node: NodeAddresses,
) -> Result<u32> {
    let outside = stage.outside()?;
    wait_for_answers(stage, &outside, ways)?;
    let rows = rounds(stage, board, title, &outside, ways, ROUNDS)?;
    rows.iter().try_for_each(all_answered)?;
    for (row, way) in rows.iter().zip(ways) {
        ensure_seen(row, way, node.v4.into(), node.v6.into())?;
    }
    Ok(total(&rows))
}

/// Whether servers saw the one of two addresses that is of the way's family, and no other.
pub(super) fn ensure_seen(row: &Row, way: &Way, v4: IpAddr, v6: IpAddr) -> Result<()> {
    let expected = BTreeSet::from([if way.address.is_ipv4() { v4 } else { v6 }]);
    ensure!(row.clients == expected, "{}: servers saw {:?}", row.what, row.clients);
    Ok(())
}
