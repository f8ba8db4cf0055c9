//! Connected UDP sockets of a node's processes when their backend leaves.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    process::{Child, ChildStdin, ChildStdout, Stdio},
};

use anyhow::{Context as _, Result};
use xtask::{topology::Node, workload::Protocol};

use super::{
    cluster::{ANSWER, Cluster, Ground, MODES, wait_until},
    services::{BOTH, PORT, Way, ways},
};

/// Keeps one socket with a peer, by which it asks when told to.
const CLIENT: &str = r#"
peer="/dev/$1/$2/$3"
exec 3<>"$peer"
while read -r order; do
  case "$order" in
    ask) { printf "$4" >&3 && timeout 2 dd bs=512 count=1 status=none <&3; } 2>&1 | tr '\r\n' '  ' ;;
    connect) exec 3<>"$peer" ;;
  esac
  echo
done
"#;

/// A process of the node with a socket that stays open.
struct Client {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Client {
    fn start(node: &Node, protocol: Protocol, peer: SocketAddr) -> Result<Self> {
        let mut command = node.command("bash")?;
        command.args(["-c", CLIENT, "bash", protocol.name(), &peer.ip().to_string()]);
        let request = match protocol {
            Protocol::Tcp => r"GET / HTTP/1.1\r\n\r\n",
            Protocol::Udp => "who?",
        };
        command
            .args([&peer.port().to_string(), request])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = command.spawn().context("starting a client")?;
        let orders = process.stdin.take().context("its input is not piped")?;
        let answers = BufReader::new(process.stdout.take().context("its output is not piped")?);
        let mut client = Self { process, orders, answers };
        client.order("nothing")?;
        Ok(client)
    }

    /// What came of an order.
    fn order(&mut self, order: &str) -> Result<String> {
        writeln!(self.orders, "{order}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(line)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _gone_already = self.process.kill();
        let _gone_already = self.process.wait();
    }
}

/// The Service's addresses for UDP, and the IPv4 one in IPv6.
fn peers(ways: [Way; 4]) -> Vec<SocketAddr> {
    let peers = ways.into_iter().filter(|way| way.protocol == Protocol::Udp);
    let peers: Vec<_> = peers.map(|way| way.address).collect();
    let mapped = peers.iter().filter_map(|peer| match peer {
        SocketAddr::V4(v4) => Some(SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port())),
        SocketAddr::V6(_) => None,
    });
    let mapped: Vec<_> = mapped.collect();
    [peers, mapped].concat()
}

/// Waits until the socket is none of the server's any longer, and says what its process was told.
fn told(client: &mut Client, server: &str) -> Result<String> {
    let mut said = String::new();
    wait_until(|| {
        said = client.order("ask")?;
        Ok(!said.contains(&format!("{server} ")))
    })?;
    Ok(said)
}

fn is_told_at_once(said: &str) -> bool {
    said.contains("Destination address required")
        || said.contains("Software caused connection abort")
}

#[test]
fn a_connected_socket_of_a_host_process_is_told_that_its_backend_is_gone() -> Result<()> {
    let ground = Ground::new("wakes")?;
    let mut cluster = Cluster::start(&ground, MODES[0])?;
    wakes(&mut cluster).with_context(|| cluster.logs())
}

fn wakes(cluster: &mut Cluster<'_>) -> Result<()> {
    cluster.set_endpoints(BOTH, &["near"])?;
    settle(cluster, &["near"])?;
    let node = cluster.node_of("node-a")?;
    let start = |peer: SocketAddr| Client::start(node, Protocol::Udp, peer);
    let mut clients = peers(BOTH.ways()).into_iter().map(start).collect::<Result<Vec<_>>>()?;
    let near = cluster.addresses("near")?;
    let direct = ways(near.v4.into(), near.v6.into(), |_| PORT);
    let mut bystanders = peers(direct).into_iter().map(start).collect::<Result<Vec<_>>>()?;
    let tcp = BOTH.ways().into_iter().filter(|way| way.protocol == Protocol::Tcp);
    let connections = tcp.map(|way| Client::start(node, way.protocol, way.address));
    let connections = connections.collect::<Result<Vec<_>>>()?;
    answered(&mut clients, "near").context("before any change")?;

    cluster.set_endpoints(BOTH, &["near", "far"])?;
    settle(cluster, &["near", "far"])?;
    cluster.agents[0].kill()?;
    cluster.agents[0].restart()?;
    answered(&mut clients, "near").context("after another backend came, and a restart")?;

    cluster.set_endpoints(BOTH, &["far"])?;
    moved(&mut clients, "near", "far").context("the backend left")?;
    bystanders.extend(connections);
    answered(&mut bystanders, "near").context("what is not concerned")?;

    cluster.agents[0].kill()?;
    cluster.set_endpoints(BOTH, &["near"])?;
    answered(&mut clients, "far").context("without an agent")?;
    cluster.agents[0].restart()?;
    moved(&mut clients, "far", "near").context("the backend left while no agent ran")
}

/// Waits until new sockets of the node reach each of these servers, and nobody else.
fn settle(cluster: &Cluster<'_>, servers: &[&str]) -> Result<()> {
    let node = cluster.pod("node-a")?;
    let udp = BOTH.ways().into_iter().filter(|way| way.protocol == Protocol::Udp);
    for way in udp {
        wait_until(|| {
            // Who asks a backend that leaves is told so too.
            let ask = |_| Ok(node.ask(way.protocol, way.address, ANSWER)?.ok());
            let reached = (0..20).map(ask).collect::<Result<Vec<_>>>()?.into_iter().flatten();
            let mut reached: Vec<_> = reached.map(|answer| answer.server).collect();
            reached.sort_unstable_by_key(|server| servers.iter().position(|it| it == server));
            reached.dedup();
            Ok(reached == servers)
        })
        .with_context(|| format!("{way:?} to {servers:?}"))?;
    }
    Ok(())
}

fn answered(clients: &mut [Client], server: &str) -> Result<()> {
    for (number, client) in clients.iter_mut().enumerate() {
        let said = client.order("ask")?;
        anyhow::ensure!(said.contains(&format!("{server} ")), "client {number}: {said}");
    }
    Ok(())
}

/// Each is told of the end of its socket, and reaches another server by a new one.
fn moved(clients: &mut [Client], from: &str, to: &str) -> Result<()> {
    for (number, client) in clients.iter_mut().enumerate() {
        let said = told(client, from).with_context(|| format!("client {number}"))?;
        anyhow::ensure!(is_told_at_once(&said), "client {number}: {said}");
        client.order("connect")?;
    }
    answered(clients, to).context("after they connected again")
}
