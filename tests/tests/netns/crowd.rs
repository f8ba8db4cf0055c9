//! Many clients of one backend, all masqueraded to one address.

use std::{
    collections::BTreeSet,
    io::{self, Read as _, Write as _},
    net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream},
};

use anyhow::{Context as _, Result};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use xtask::topology::Netns;

use super::{
    cluster::{ANSWER, Cluster, DELIVERIES, Ground},
    services::{CLOSED, Frontend, OPEN_CLOSED},
};

/// Connections of one family that exist at one time.
const CONNECTIONS: usize = 2_000;

#[test]
fn two_thousand_connections_to_one_backend_have_as_many_sources() -> Result<()> {
    for mode in DELIVERIES {
        let ground = Ground::new(&format!("crowd-{}-{}", mode.delivery, mode.attach))?;
        let cluster = Cluster::start(&ground, mode)?;
        let at = Frontend::NodePort(cluster.addresses("node-a")?);
        let [_, _, far, _] = OPEN_CLOSED;
        let [v4, _, v6, _] = far.ways_at(at).map(|way| way.address);
        for address in [v4, v6] {
            let seen = crowd(cluster.outside()?, cluster.netns("far")?, address)
                .with_context(|| format!("{mode:?} {address}\n{}", cluster.logs()))?;
            let hosts: BTreeSet<_> = seen.iter().map(|client| client.ip().to_canonical()).collect();
            let node = cluster.addresses("node-a")?;
            let expected = if address.is_ipv4() { node.v4.into() } else { node.v6.into() };
            assert_eq!((seen.len(), hosts), (CONNECTIONS, BTreeSet::from([expected])), "{mode:?}");
        }
    }
    Ok(())
}

/// Whom a server in one place sees while clients in another hold all their connections.
fn crowd(clients: &Netns, server: &Netns, address: SocketAddr) -> Result<BTreeSet<SocketAddr>> {
    let listener = server.run(|| TcpListener::bind((Ipv6Addr::UNSPECIFIED, CLOSED)))??;
    set_socket_timeout(&listener, Timeout::Recv, Some(ANSWER))?;
    let (mut held, mut seen) = (Vec::new(), BTreeSet::new());
    clients
        .run(|| {
            for number in 0..CONNECTIONS {
                let client = TcpStream::connect_timeout(&address, ANSWER)
                    .with_context(|| format!("connection {number}"))?;
                let (connection, source) =
                    listener.accept().with_context(|| format!("taking connection {number}"))?;
                seen.insert(source);
                held.push(exchange(client, connection).with_context(|| source.to_string())?);
            }
            Ok(())
        })?
        .map(|()| seen)
}

/// A byte from the server to the client tells that both are of one connection.
fn exchange(mut client: TcpStream, mut server: TcpStream) -> io::Result<[TcpStream; 2]> {
    client.set_read_timeout(Some(ANSWER))?;
    server.write_all(b"!")?;
    client.read_exact(&mut [0])?;
    Ok([client, server])
}
