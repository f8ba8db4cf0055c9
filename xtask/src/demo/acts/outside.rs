//! A client outside reaches a Service at each node and at a virtual address; servers see a node, by the
//! address that it has in the tunnel where they are behind it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Result, ensure};
use xtask::topology::NodeAddresses;

use super::{Board, Row, Stage, Way, rounds, spread::all_answered, total, wait_for_answers};
use crate::demo::way::{PUBLIC, PUBLIC_PORTS, Service};

const ROUNDS: u32 = 30;

pub(super) fn play_node_ports(stage: &mut Stage<'_>, board: &mut Board) -> Result<String> {
    let mut asked = 0;
    for ((node, title), number) in stage
        .nodes()
        .iter()
        .zip([
            "outside asks node-a for a NodePort",
            "outside asks node-b for a NodePort",
            "outside asks node-c for a NodePort",
        ])
        .zip(1..)
    {
        let ways = Service::at_node(PUBLIC.name, node.addresses(), PUBLIC_PORTS).ways();
        asked += play(stage, board, title, &ways, seen_of(node.addresses(), number))?;
    }
    Ok(format!(
        "{asked} requests of a client outside to three nodes, all answered, by all three pods; \
         servers see the node that was asked"
    ))
}

pub(super) fn play_virtual(stage: &mut Stage<'_>, board: &mut Board) -> Result<String> {
    let title = "outside asks a virtual address";
    let asked =
        play(stage, board, title, &PUBLIC.ways(), seen_of(stage.nodes()[0].addresses(), 1))?;
    Ok(format!("{asked} requests to addresses that are routed to node-a, all answered"))
}

/// Whom servers may see of a node, which is the first, second or third: in each family its own address
/// and that in the tunnel, the first of its podCIDR.
fn seen_of(node: NodeAddresses, number: u8) -> [BTreeSet<IpAddr>; 2] {
    let v4 = [node.v4, Ipv4Addr::new(10, 244, number, 0)];
    let v6 = [node.v6, Ipv6Addr::new(0xfd00, 0x10, 0x244, number.into(), 0, 0, 0, 0)];
    [v4.map(IpAddr::from).into(), v6.map(IpAddr::from).into()]
}

/// Asks, and compares whom the servers saw with the one node they are to see.
fn play(
    stage: &Stage<'_>,
    board: &mut Board,
    title: &'static str,
    ways: &[Way],
    [v4, v6]: [BTreeSet<IpAddr>; 2],
) -> Result<u32> {
    let outside = stage.outside()?;
    wait_for_answers(stage, &outside, ways)?;
    let rows = rounds(stage, board, title, &outside, ways, ROUNDS)?;
    rows.iter().try_for_each(all_answered)?;
    for (row, way) in rows.iter().zip(ways) {
        ensure_seen(row, way, &v4, &v6)?;
    }
    Ok(total(&rows))
}

/// Whether servers saw somebody, and nobody but those of the way's family.
pub(super) fn ensure_seen(
    row: &Row,
    way: &Way,
    v4: &BTreeSet<IpAddr>,
    v6: &BTreeSet<IpAddr>,
) -> Result<()> {
    let Row { what, clients, .. } = row;
    let expected = if way.address.is_ipv4() { v4 } else { v6 };
    ensure!(
        !clients.is_empty() && clients.is_subset(expected),
        "{what}: servers saw {clients:?} instead of {expected:?}"
    );
    Ok(())
}
