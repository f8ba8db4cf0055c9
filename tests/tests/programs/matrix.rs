//! The golden matrix on packets: who sends to what of a Service with which traffic policy, under which
//! settings. The node's own processes send no packets that come in.

use std::net::SocketAddr;

use dataplane_common::abi::{Delivery, NodeFlags, ServiceFlags};
use waggle_tests::host::Hook;
use waggle_tests::world::{NAT_PORTS, World};

use crate::row::{Expected, Row, Scene, agree_by_chance, endpoint};

const MATRIX: &str = include_str!("../../../dataplane-common/src/flow/matrix.txt");

const UNKNOWN: NodeFlags = NodeFlags::PODS_UNKNOWN4.union(NodeFlags::PODS_UNKNOWN6);

/// The settings of the matrix's columns.
const SETTINGS: [NodeFlags; 4] =
    [NodeFlags(0), UNKNOWN, NodeFlags::MASQUERADE_ALL, UNKNOWN.union(NodeFlags::MASQUERADE_ALL)];

/// The cases of packets: 18 of 27, under each of the settings.
const CASES: usize = 18 * 4;

/// The row of a case; by chance a flow gets the first of its set, or the last.
fn row(
    scene: &Scene,
    case: &'static str,
    node: NodeFlags,
    met: &str,
    is_first: bool,
) -> Option<Row> {
    let [who, frontend, policy] = *case.split_whitespace().collect::<Vec<_>>() else {
        panic!("no case: {case}")
    };
    let net = scene.net;
    let (hook, client) = match who {
        "pod" => (Hook::FromPod, scene.client()),
        "outside" => (Hook::FromNetdev, scene.outside()),
        _ => return None,
    };
    let [balanced, node_port] = net.entrances();
    let frontend = match frontend {
        "cluster-ip" => net.frontend(),
        "node-port" => node_port,
        _ => balanced,
    };
    let backend = if is_first || met.starts_with("local") { net.local } else { net.remote };
    let source = if met.ends_with("hidden") {
        SocketAddr::new(client.ip(), NAT_PORTS[usize::from(!is_first)])
    } else {
        client
    };
    let opening = scene.packet(client, frontend).syn();
    let there = opening.clone().src(source).dst(endpoint(backend));
    let when = |is_set, flag| if is_set { flag } else { ServiceFlags::default() };
    let world = World {
        backends: vec![net.local, net.remote],
        internal: when(policy == "internal-local", ServiceFlags::INTERNAL_LOCAL),
        external: when(policy == "external-local", ServiceFlags::EXTERNAL_LOCAL),
        node_flags: node,
        ..scene.world(net.local)
    };
    Some(Row { world, hook, ..scene.row(case, backend, opening, Expected::Next(there)) })
}

fn rows(scene: &Scene, is_first: bool) -> Vec<Row> {
    let lines = MATRIX.lines().filter(|line| !line.starts_with('#'));
    let rows: Vec<_> = lines
        .flat_map(|line| {
            let mut cells = line.split('|').map(str::trim);
            let case = cells.next().unwrap();
            let cells = SETTINGS.into_iter().zip(cells).collect::<Vec<_>>();
            cells.into_iter().filter_map(move |(node, met)| row(scene, case, node, met, is_first))
        })
        .collect();
    assert_eq!(rows.len(), CASES);
    rows
}

#[test]
fn packets_of_the_golden_matrix_go_where_kube_proxy_sends_them() {
    for (random, is_first) in [(0, true), (u32::MAX, false)] {
        agree_by_chance(Delivery::Stack, random, move |scene| rows(scene, is_first));
    }
}
