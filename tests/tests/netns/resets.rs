//! Connections whose backend's pod goes: no server is left that could end them.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context as _, Result};
use xtask::{topology::Netns, workload::Protocol};

use super::{
    cluster::{ANSWER, Cluster, DELIVERIES, Ground},
    services::{Frontend, NEAR, OPEN, Way},
};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

/// A connection by a Service, for several requests.
pub(super) struct Connection {
    pub(super) name: String,
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Begins one that waits so long for each answer.
    pub(super) fn begin(client: &str, netns: &Netns, way: Way, patience: Duration) -> Result<Self> {
        let name = format!("{client} by {}", way.address);
        let connect = || TcpStream::connect_timeout(&way.address, ANSWER);
        let stream = netns.run(connect)?.with_context(|| name.clone())?;
        stream.set_read_timeout(Some(patience))?;
        let mut connection = Self { name, stream: BufReader::new(stream) };
        connection.ask().with_context(|| connection.name.clone())?;
        Ok(connection)
    }

    pub(super) fn ask(&mut self) -> io::Result<()> {
        self.send()?;
        self.receive()
    }

    pub(super) fn send(&mut self) -> io::Result<()> {
        self.stream.get_mut().write_all(REQUEST)
    }

    /// Reads a whole answer: a status, the length of what follows, nothing, and that.
    pub(super) fn receive(&mut self) -> io::Result<()> {
        let mut head = [const { String::new() }; 3];
        for line in &mut head {
            self.stream.read_line(line)?;
        }
        let length = head[1].trim_end().rsplit(' ').next().and_then(|length| length.parse().ok());
        let mut body = vec![0; length.ok_or(io::ErrorKind::InvalidData)?];
        self.stream.read_exact(&mut body)
    }
}

/// One from the pod's own node, from another one, and from outside by each of the nodes.
fn connections(cluster: &Cluster<'_>) -> Result<Vec<Connection>> {
    let [a, b] = [cluster.addresses("node-a")?, cluster.addresses("node-b")?];
    let [open, ..] = OPEN;
    let mut connections = Vec::new();
    for (client, netns, ways) in [
        ("a pod beside", cluster.netns("client")?, NEAR.ways()),
        ("a pod elsewhere", cluster.netns("far")?, NEAR.ways()),
        ("outside", cluster.outside()?, open.ways_at(Frontend::NodePort(a))),
        ("outside", cluster.outside()?, open.ways_at(Frontend::NodePort(b))),
    ] {
        for way in ways.into_iter().filter(|way| way.protocol == Protocol::Tcp) {
            connections.push(Connection::begin(client, netns, way, 2 * ANSWER)?);
        }
    }
    Ok(connections)
}

#[test]
fn who_is_in_a_connection_with_a_pod_that_goes_is_told_at_once() -> Result<()> {
    for mode in DELIVERIES {
        let ground = Ground::new(&format!("resets-{}", mode.delivery))?;
        let mut cluster = Cluster::start(&ground, mode)?;
        let mut connections = connections(&cluster)?;
        cluster.remove("near")?;
        for service in [NEAR, OPEN[0]] {
            cluster.set_endpoints(service, &[])?;
        }
        for connection in &mut connections {
            let told = connection.ask().map_err(|error| error.kind());
            let (name, logs) = (&connection.name, cluster.logs());
            assert_eq!(told, Err(io::ErrorKind::ConnectionReset), "{mode:?}: {name}\n{logs}");
        }
    }
    Ok(())
}
