//! Datagrams that no link takes in one piece, to Services and back.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    thread,
};

use anyhow::{Context as _, Result, ensure};
use xtask::{topology::Netns, workload::Protocol};

use super::{
    cluster::{ANSWER, Cluster, DELIVERIES, Ground},
    services::{FAR, Frontend, HOST, ITSELF, NEAR, OPEN, OTHER_HOST, Way},
};

/// Three fragments, the answer's too.
const LARGE: usize = 4_000;

#[test]
fn datagrams_in_fragments_reach_services_and_return() -> Result<()> {
    let mut wrong = Vec::new();
    for mode in DELIVERIES {
        let ground = Ground::new(&format!("fragments-{}-{}", mode.delivery, mode.attach))?;
        let cluster = Cluster::start(&ground, mode)?;
        let node = Frontend::NodePort(cluster.addresses("node-a")?);
        let inside = [NEAR, FAR, ITSELF, HOST, OTHER_HOST].map(|service| service.ways()).concat();
        let at = |frontend| OPEN.map(|service| service.ways_at(frontend)).concat();
        let open = [at(node), at(Frontend::Virtual)].concat();
        for (name, netns, ways) in [
            ("pod", cluster.netns("client")?, [&inside[..], &open].concat()),
            ("outside", cluster.outside()?, open),
        ] {
            let lines = lost(netns, &ways)?;
            wrong.extend(lines.into_iter().map(|line| format!("{mode:?} {name} {line}")));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    Ok(())
}

/// What is wrong with datagrams by these ways, all sent at once.
fn lost(netns: &Netns, ways: &[Way]) -> Result<Vec<String>> {
    thread::scope(|scope| {
        let of_udp = ways.iter().filter(|way| way.protocol == Protocol::Udp);
        let rows: Vec<_> =
            of_udp.map(|way| scope.spawn(|| netns.run(|| echo(way.address)))).collect();
        let rows = rows.into_iter().map(|row| row.join().expect("the row ends"));
        rows.filter_map(|row| match row {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(Ok(format!("{error:#}"))),
            Err(error) => Some(Err(error)),
        })
        .collect()
    })
}

/// Twice: the first datagram begins a flow.
fn echo(address: SocketAddr) -> Result<()> {
    let any: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(ANSWER))?;
    for attempt in ["first", "second"] {
        socket.send(&[b'?'; LARGE])?;
        let received = socket.recv(&mut [0; 2 * LARGE]);
        let received = received.with_context(|| format!("{attempt} datagram to {address}"))?;
        ensure!(received == LARGE, "{attempt} datagram to {address}: answered by {received} bytes");
    }
    Ok(())
}
