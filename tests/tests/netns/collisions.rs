//! Two talks with one backend by one port of the client, under two of its names at least: none is
//! taken for the other.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use anyhow::{Context as _, Result};
use xtask::{
    topology::Attachment,
    workload::{Answer, Protocol, Talk},
};

use super::{
    cluster::{ANSWER, Cluster, DELIVERIES, Ground},
    services::{FAR, NEAR, OPEN, PORT, Service, Way},
};

/// Below all ports that sockets get without asking: each row has its own.
const FIRST_PORT: u16 = 20_000;

/// A backend by three names: two addresses of Services, and its own.
struct Names {
    server: &'static str,
    protocol: Protocol,
    addresses: [SocketAddr; 3],
}

/// Two of three, in either order.
const PAIRS: [(&str, [usize; 2]); 4] = [
    ("two addresses", [0, 1]),
    ("a Service and then itself", [0, 2]),
    ("itself and then a Service", [2, 0]),
    ("itself and then another", [2, 1]),
];

fn names(cluster: &Cluster<'_>) -> Result<Vec<Names>> {
    let mut all = Vec::new();
    for (one, other, server) in [(NEAR, OPEN[0], "near"), (FAR, OPEN[1], "far")] {
        let Attachment { v4, v6 } = cluster.addresses(server)?;
        for (Way { protocol, address }, other) in ways(one).zip(ways(other)) {
            let ip: IpAddr = if address.is_ipv4() { v4.into() } else { v6.into() };
            let addresses = [address, other.address, SocketAddr::new(ip, PORT)];
            all.push(Names { server, protocol, addresses });
        }
    }
    Ok(all)
}

fn ways(service: Service) -> impl Iterator<Item = Way> {
    service.ways().into_iter()
}

const fn talks(protocol: Protocol) -> &'static [Talk] {
    match protocol {
        Protocol::Tcp => &[Talk::Tcp],
        Protocol::Udp => &[Talk::Udp, Talk::Datagram],
    }
}

#[test]
fn a_pod_talks_to_a_backend_by_two_names_and_one_port_in_any_order() -> Result<()> {
    let mut wrong = Vec::new();
    for mode in DELIVERIES {
        let ground = Ground::new(&format!("collisions-{}", mode.delivery))?;
        let cluster = Cluster::start(&ground, mode)?;
        let mut ports = FIRST_PORT..;
        for Names { server, protocol, addresses } in names(&cluster)? {
            for (name, pair) in PAIRS {
                for talk in talks(protocol) {
                    let port = ports.next().context("a port")?;
                    let both = pair.map(|which| addresses[which]);
                    let outcome = cluster.pod("client")?.beside(*talk, port, both, ANSWER)?;
                    if !outcome.as_ref().is_ok_and(|answers| are_apart(answers, server)) {
                        wrong.push(format!("{mode:?} {name} {talk:?} {both:?}: {outcome:?}"));
                    }
                }
            }
        }
        wrong.extend(of_node(&cluster)?.into_iter().map(|row| format!("{mode:?} {row}")));
        assert_eq!(wrong, Vec::<String>::new(), "{}", cluster.logs());
    }
    Ok(())
}

/// Whether a server has answered both, and could tell one from the other.
fn are_apart([first, second]: &[Answer; 2], server: &str) -> bool {
    [&first.server, &second.server] == [server, server] && first.client != second.client
}

/// The same of processes of the node, whose calls are translated: what the kernel then knows of
/// their sockets is the backend. It gives out no port twice for that, and refuses one that was asked
/// for twice. A socket of UDP that is not connected is told of the name that it asked by last.
fn of_node(cluster: &Cluster<'_>) -> Result<Vec<String>> {
    let node = cluster.pod("node-a")?;
    let mut ports = (FIRST_PORT..).step_by(2);
    let mut wrong = Vec::new();
    for Names { server, protocol, addresses } in names(cluster)? {
        for (name, pair) in PAIRS {
            let both = pair.map(|which| addresses[which]);
            let port = ports.next().context("a port")?;
            // The only two that sockets get without asking.
            let range = format!("{port} {}", port + 1);
            node.netns().set_sysctl("ipv4/ip_local_port_range", &range)?;
            for (talk, port, is_fine) in of_node_rows(protocol, port - FIRST_PORT + 10_000) {
                let outcome = node.beside(talk, port, both, ANSWER)?;
                if !is_fine(&outcome, server) {
                    wrong.push(format!("the node, {name} {talk:?} {port} {both:?}: {outcome:?}"));
                }
            }
        }
    }
    Ok(wrong)
}

type Check = fn(&io::Result<[Answer; 2]>, &str) -> bool;

fn of_node_rows(protocol: Protocol, port: u16) -> Vec<(Talk, u16, Check)> {
    let apart: Check = |outcome, server| outcome.as_ref().is_ok_and(|both| are_apart(both, server));
    let refused: Check = |outcome, _| {
        outcome.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AddrNotAvailable)
    };
    let by_one_socket: Check = |outcome, server| {
        outcome.as_ref().is_ok_and(|both| both.iter().all(|answer| answer.server == server))
    };
    match protocol {
        Protocol::Tcp => vec![(Talk::Tcp, 0, apart), (Talk::Tcp, port, refused)],
        Protocol::Udp => vec![(Talk::Udp, 0, apart), (Talk::Datagram, port, by_one_socket)],
    }
}
