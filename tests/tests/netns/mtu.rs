//! Links narrower than those around them: senders hear of it, whatever the delivery.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use anyhow::{Context as _, Result};
use xtask::workload::{LARGE, Protocol, fetch};

use super::{
    cluster::{ANSWER, Cluster, DELIVERIES, Ground, MODES, Mode},
    services::{FAR, Frontend, NEAR, OPEN, OPEN_LOCAL, PORT, Way, ways},
    socket::{Connected, DISCOVER, PATH_MTU},
};

const NARROW: i32 = 1400;

/// Fits no segment of a pod that knows a narrow link.
const NARROWER: i32 = 1300;

/// Fits the pods' links and not the uplinks.
const TOO_BIG: usize = 1430;

/// Fits both.
const FITS: usize = 1200;

/// Bytes of a request that takes many segments.
const LONG: usize = 300_000;

#[test]
fn a_sender_learns_of_a_narrow_uplink_and_goes_on() -> Result<()> {
    let mut wrong = Vec::new();
    for mode in MODES {
        let ground = Ground::new(&format!("mtu-{}-{}", mode.delivery, mode.attach))?;
        for node in [ground.network.a(), ground.network.b()] {
            node.netns().ip(&[format!("link set eth0 mtu {NARROW}")])?;
        }
        let cluster = Cluster::start(&ground, mode)?;
        for pod in ["client", "far"] {
            widen(&cluster, pod)?;
        }
        wrong.extend(rows(&cluster, mode)?);
    }
    assert_eq!(wrong, Vec::<String>::new());
    Ok(())
}

#[test]
fn both_ends_of_flows_learn_of_narrow_links() -> Result<()> {
    let mut wrong = Vec::new();
    for mode in DELIVERIES {
        let ground = Ground::new(&format!("inbound-mtu-{}-{}", mode.delivery, mode.attach))?;
        let cluster = start_with_narrow_pods(&ground, mode)?;
        let ways = inbound(&cluster)?;
        let outside = cluster.outside()?;
        for way in ways.iter().filter(|way| way.protocol == Protocol::Udp) {
            wrong.extend(outside.run(|| complaint(mode, *way, send_datagrams(way.address)))?);
        }
        wrong.extend(host_processes(&cluster, mode)?);
        widen(&cluster, "client")?;
        let client = cluster.netns("client")?;
        for way in NEAR.ways().into_iter().filter(|way| way.protocol == Protocol::Udp) {
            wrong.extend(client.run(|| complaint(mode, way, send_datagrams(way.address)))?);
        }
        ground.network.wire()?.ip(&[format!("link set wan mtu {NARROWER}")])?;
        for way in ways.iter().filter(|way| way.protocol == Protocol::Tcp) {
            wrong.extend(outside.run(|| complaint(mode, *way, receive_long_answer(way.address)))?);
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    Ok(())
}

/// What processes of the node are not told of the narrow link of a pod elsewhere, which its node's
/// router tells them of.
fn host_processes(cluster: &Cluster<'_>, mode: Mode) -> Result<Vec<String>> {
    let node = cluster.pod("node-a")?;
    let mut wrong = Vec::new();
    for way in FAR.ways().into_iter().filter(|way| way.protocol == Protocol::Udp) {
        let known = node.path(way.address, ANSWER)?;
        if known != NARROW.to_string() {
            wrong.push(format!("{mode:?} {way:?} by a process of the node: {known}"));
        }
    }
    Ok(wrong)
}

/// Starts where pods have links narrower than the uplinks.
pub(super) fn start_with_narrow_pods<'a>(ground: &'a Ground, mode: Mode) -> Result<Cluster<'a>> {
    let set = |mtu: i32| {
        let mut nodes = ground.network.nodes().iter();
        nodes.try_for_each(|node| node.netns().ip(&[format!("link set eth0 mtu {mtu}")]))
    };
    set(NARROW)?;
    let cluster = Cluster::start(ground, mode)?;
    set(1500).map(|()| cluster)
}

/// The ways from outside to pods.
fn inbound(cluster: &Cluster<'_>) -> Result<Vec<Way>> {
    let at = Frontend::NodePort(cluster.addresses("node-a")?);
    let ([near, far, ..], [local_near, ..]) = (OPEN, OPEN_LOCAL);
    let at = [at, Frontend::Virtual];
    let ways = [near, far, local_near].map(|service| at.map(|at| service.ways_at(at)).concat());
    Ok(ways.concat())
}

fn complaint(mode: Mode, way: Way, outcome: Result<()>) -> Option<String> {
    outcome.err().map(|error| format!("{mode:?} {way:?}: {error:#}"))
}

/// Gives a pod's link the MTU that the uplink does not have.
fn widen(cluster: &Cluster<'_>, pod: &str) -> Result<()> {
    let host_side = cluster.host_side(pod)?;
    cluster.netns_of_node(pod)?.ip(&[format!("link set {host_side} mtu 1500")])?;
    cluster.netns(pod)?.ip(&["link set eth0 mtu 1500"])
}

fn rows(cluster: &Cluster<'_>, mode: Mode) -> Result<Vec<String>> {
    let far = cluster.addresses("far")?;
    let direct = ways(far.v4.into(), far.v6.into(), |_| PORT);
    let client = cluster.netns("client")?;
    let mut wrong = Vec::new();
    for (name, way) in direct
        .map(|way| ("far itself", way))
        .into_iter()
        .chain(FAR.ways().map(|way| ("Service far", way)))
    {
        let Way { protocol, address } = way;
        let outcome = client.run(|| match protocol {
            Protocol::Udp => send_datagrams(address),
            Protocol::Tcp => send_long_request(address),
        })?;
        if let Err(error) = outcome {
            wrong.push(format!("{mode:?} {name} {protocol:?} {address}: {error:#}"));
        }
    }
    Ok(wrong)
}

/// The first large one is lost with a message, the next is refused, a small one is answered.
pub(super) fn send_datagrams(address: SocketAddr) -> Result<()> {
    let socket = Connected::to(address)?;
    socket.set(DISCOVER, libc::IP_PMTUDISC_DO)?;
    for attempt in ["first", "second"] {
        let error = socket.exchange(TOO_BIG).err().and_then(|error| error.raw_os_error());
        anyhow::ensure!(error == Some(libc::EMSGSIZE), "{attempt} large datagram: errno {error:?}");
    }
    let known = socket.get(PATH_MTU)?;
    anyhow::ensure!(known == NARROW, "the path's MTU is known to be {known}");
    socket.exchange(FITS).context("a small datagram")
}

/// Segments as large as the server's link takes.
fn receive_long_answer(address: SocketAddr) -> Result<()> {
    let answer = fetch(address, LARGE, ANSWER).context("an answer of many segments")?;
    anyhow::ensure!(answer.len() > LONG, "an answer of many segments: {} bytes", answer.len());
    Ok(())
}

/// Segments as large as the client's link takes.
fn send_long_request(address: SocketAddr) -> Result<()> {
    let attempt = || -> io::Result<String> {
        let mut connection = TcpStream::connect_timeout(&address, ANSWER)?;
        connection.set_read_timeout(Some(ANSWER))?;
        connection.set_write_timeout(Some(ANSWER))?;
        write!(connection, "GET /{} HTTP/1.1\r\n\r\n", "a".repeat(LONG))?;
        let mut answer = [0; 12];
        connection.read_exact(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = attempt().context("a request of many segments")?;
    anyhow::ensure!(answer == "HTTP/1.1 200", "a request of many segments: {answer}");
    Ok(())
}
