//! What clients and servers are told of each other's absence.

use std::{
    io,
    net::{Ipv6Addr, SocketAddr, UdpSocket},
    thread,
};

use anyhow::{Context as _, Result};
use xtask::{topology::Netns, workload::ask};

use super::{
    cluster::{ANSWER, Cluster, DELIVERIES, Ground, MODES},
    services::{CLOSED, EMPTY, FAR_CLOSED, Frontend, NEAR_CLOSED, OPEN_CLOSED, Way},
};

/// Not at once everywhere: over IPv6 the kernel overlooks an ICMP error that comes while `connect`
/// still holds the socket, and heeds the one that the second SYN brings.
#[test]
fn a_client_is_refused_where_nobody_answers() -> Result<()> {
    let mut wrong = Vec::new();
    for mode in MODES {
        let ground = Ground::new(&format!("errors-{}-{}", mode.delivery, mode.attach))?;
        let cluster = Cluster::start(&ground, mode)?;
        let inside = [EMPTY, NEAR_CLOSED, FAR_CLOSED].map(|service| service.ways()).concat();
        let node = Frontend::NodePort(cluster.addresses("node-a")?);
        let at = |frontend| OPEN_CLOSED.map(|service| service.ways_at(frontend)).concat();
        let (outside, client) = (cluster.outside()?, cluster.netns("client")?);
        for (netns, ways) in [
            (client, inside),
            (client, at(node)),
            (outside, at(node)),
            (outside, at(Frontend::Virtual)),
        ] {
            let lines = not_refused(netns, &ways)?;
            wrong.extend(lines.into_iter().map(|line| format!("{mode:?} {line}")));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    Ok(())
}

/// What is wrong with ways that are to be refused, all asked at once.
pub(super) fn not_refused(netns: &Netns, ways: &[Way]) -> Result<Vec<String>> {
    let refuse = |way: &Way| {
        let outcome = netns.run(|| ask(way.protocol, way.address, ANSWER))?;
        let outcome = outcome.map_err(|error| error.kind());
        let is_refused = outcome == Err(io::ErrorKind::ConnectionRefused);
        Ok((!is_refused).then(|| format!("{way:?}: {outcome:?}")))
    };
    thread::scope(|scope| {
        let rows: Vec<_> = ways.iter().map(|way| scope.spawn(|| refuse(way))).collect();
        let rows = rows.into_iter().map(|row| row.join().expect("the row ends"));
        rows.filter_map(Result::transpose).collect()
    })
}

#[test]
fn a_server_is_told_that_its_client_is_gone() -> Result<()> {
    let mut wrong = Vec::new();
    for mode in DELIVERIES {
        let ground = Ground::new(&format!("gone-{}-{}", mode.delivery, mode.attach))?;
        let cluster = Cluster::start(&ground, mode)?;
        let node = Frontend::NodePort(cluster.addresses("node-a")?);
        let [_, near, far, host] = OPEN_CLOSED;
        for service in [near, far, host] {
            for frontend in [node, Frontend::Virtual] {
                let [_, v4, _, v6] = service.ways_at(frontend).map(|way| way.address);
                for address in [v4, v6] {
                    let server = cluster.netns(service.endpoints[0])?;
                    let found = leave(server, cluster.outside()?, address)?;
                    if !matches!(found, Err(io::ErrorKind::ConnectionRefused)) {
                        wrong.push(format!("{mode:?} {} {address}: {found:?}", service.name));
                    }
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    Ok(())
}

/// What a server hears that answers a client twice of which there is nothing left.
fn leave(
    server: &Netns,
    client: &Netns,
    address: SocketAddr,
) -> Result<Result<usize, io::ErrorKind>> {
    let server = server.run(|| UdpSocket::bind((Ipv6Addr::UNSPECIFIED, CLOSED)))??;
    server.set_read_timeout(Some(ANSWER))?;
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    client.run(|| UdpSocket::bind(any)?.send_to(b"?", address))??;
    let (_, seen) = server.recv_from(&mut [0; 16]).with_context(|| address.to_string())?;
    server.connect(seen)?;
    server.send(b"!")?;
    Ok(server.recv(&mut [0; 16]).map_err(|error| error.kind()))
}
