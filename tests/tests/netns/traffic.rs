//! Traffic by every way in, of which nothing may change.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
};

use anyhow::{Context as _, Result, ensure};
use xtask::{
    topology::Netns,
    workload::{Answer, Protocol, ask},
};

use super::{
    cluster::{ANSWER, Cluster},
    services::{BOTH, FAR, Frontend, HOST, ITSELF, NEAR, OPEN, OPEN_LOCAL, STICKY, Way},
    stream::Stream,
};

/// What goes on at one time.
pub(super) struct Traffic {
    streams: Vec<Stream>,
    flows: Vec<Flow>,
    clients: Vec<Client>,
    /// Servers of node-a's processes.
    host: Vec<(Way, String)>,
}

/// A UDP flow: one socket, one server, which sees one client.
struct Flow {
    address: SocketAddr,
    socket: UdpSocket,
    answer: Answer,
}

/// A client of a Service with affinity, and its server.
struct Client {
    netns: Netns,
    way: Way,
    server: String,
}

impl Traffic {
    /// Begins it.
    pub(super) fn begin(cluster: &Cluster<'_>) -> Result<Self> {
        let (streams, flows, clients) = (Vec::new(), Vec::new(), Vec::new());
        let mut traffic = Self { streams, flows, clients, host: Vec::new() };
        let (outside, pod) = (cluster.outside()?, cluster.netns("client")?);
        let at = Frontend::NodePort(cluster.addresses("node-a")?);
        let by = |frontend, services: &[_]| {
            let ways =
                services.iter().map(|service: &super::services::Service| service.ways_at(frontend));
            ways.flatten().collect::<Vec<_>>()
        };
        let ([near, far, host, ..], [local_near, ..]) = (OPEN, OPEN_LOCAL);
        let inside = [NEAR, FAR, HOST, ITSELF, BOTH, STICKY];
        traffic.flow(pod, &by(Frontend::ClusterIp, &inside))?;
        traffic.flow(pod, &by(at, &[near, far, local_near]))?;
        for frontend in [at, Frontend::Virtual, Frontend::External] {
            traffic.flow(outside, &by(frontend, &[near, far, host, local_near, STICKY]))?;
        }
        traffic.flow(cluster.netns("node-b")?, &by(at, &[near, far]))?;
        traffic.hold(pod, STICKY.ways())?;
        traffic.hold(outside, STICKY.ways_at(at))?;
        for way in [STICKY.ways(), STICKY.ways_at(at)].concat() {
            traffic.host.push((way, ask_as_process(cluster, way)?));
        }
        Ok(traffic)
    }

    /// Begins flows of both protocols.
    fn flow(&mut self, netns: &Netns, ways: &[Way]) -> Result<()> {
        for way in ways {
            match way.protocol {
                Protocol::Tcp => self.streams.push(Stream::begin(netns, *way)?),
                Protocol::Udp => self.flows.push(Flow::begin(netns, way.address)?),
            }
        }
        Ok(())
    }

    /// Finds out which server a client has.
    fn hold(&mut self, netns: &Netns, ways: [Way; 4]) -> Result<()> {
        for way in ways {
            let netns = netns.clone();
            let server = netns.run(|| ask(way.protocol, way.address, ANSWER))??.server;
            self.clients.push(Client { netns, way, server });
        }
        Ok(())
    }

    /// Whether everything is as it was.
    pub(super) fn check(&self, cluster: &Cluster<'_>) -> Result<()> {
        for Flow { address, socket, answer } in &self.flows {
            let found = exchange(socket).with_context(|| format!("UDP {address}"))?;
            ensure!(found == *answer, "UDP {address}: {answer:?} became {found:?}");
        }
        for Client { netns, way, server } in &self.clients {
            let found = netns.run(|| ask(way.protocol, way.address, ANSWER))?;
            let found = found.with_context(|| format!("{way:?}"))?.server;
            ensure!(found == *server, "{way:?}: the client's server {server} became {found}");
        }
        for (way, server) in &self.host {
            let found = ask_as_process(cluster, *way)?;
            ensure!(found == *server, "{way:?}: node-a's server {server} became {found}");
        }
        Ok(())
    }

    /// Ends the streams, of which every byte must have come.
    pub(super) fn finish(self, cluster: &Cluster<'_>) -> Result<()> {
        self.check(cluster)?;
        self.streams.into_iter().try_for_each(Stream::finish)
    }
}

/// Who answers a process of node-a.
fn ask_as_process(cluster: &Cluster<'_>, way: Way) -> Result<String> {
    let answer = cluster.pod("node-a")?.ask(way.protocol, way.address, ANSWER)?;
    Ok(answer.with_context(|| format!("{way:?} by a process of node-a"))?.server)
}

impl Flow {
    fn begin(netns: &Netns, address: SocketAddr) -> Result<Self> {
        let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let open = || {
            let socket = UdpSocket::bind(any)?;
            socket.connect(address)?;
            socket.set_read_timeout(Some(ANSWER))?;
            Ok(socket)
        };
        let socket: io::Result<UdpSocket> = netns.run(open)?;
        let socket = socket?;
        let answer = exchange(&socket).with_context(|| format!("UDP {address}"))?;
        Ok(Self { address, socket, answer })
    }
}

fn exchange(socket: &UdpSocket) -> io::Result<Answer> {
    socket.send(b"who?\n")?;
    let mut answer = [0; 512];
    let length = socket.recv(&mut answer)?;
    String::from_utf8_lossy(&answer[..length]).parse()
}
