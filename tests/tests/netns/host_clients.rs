//! Processes of a node as clients of Services: translated where they call, not on the way.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use xtask::{
    topology::Attachment,
    workload::{Peers, Protocol, Talk},
};

use super::{
    cluster::{ANSWER, Cluster, Ground, MODES, wait_until},
    services::{EMPTY, FAR, Frontend, HOST, ITSELF, NEAR, OTHER_HOST, PORT, STICKY},
};

/// Longer than a call takes that is refused, and shorter than one that waits for an answer.
const AT_ONCE: Duration = Duration::from_millis(900);

/// With two backends, as many flows go to one by chance in a thousand runs.
const FLOWS: usize = 10;

fn cluster<'a>(ground: &'a Ground) -> Result<Cluster<'a>> {
    Cluster::start(ground, MODES[0])
}

#[test]
fn processes_of_a_node_reach_every_backend_by_its_service() -> Result<()> {
    let ground = Ground::new("host-clients-reach")?;
    let cluster = cluster(&ground)?;
    let mut wrong = Vec::new();
    for (service, server) in
        [(NEAR, "near"), (FAR, "far"), (ITSELF, "client"), (HOST, "node-a"), (OTHER_HOST, "node-b")]
    {
        for way in service.ways() {
            let outcome = cluster.pod("node-a")?.ask(way.protocol, way.address, ANSWER)?;
            if !outcome.as_ref().is_ok_and(|answer| answer.server == server) {
                wrong.push(format!("{} {way:?}: {outcome:?}", service.name));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    Ok(())
}

/// The same calls from a pod, whose processes are in the node's cgroup too, carry the frontend.
#[test]
fn a_process_of_the_node_is_told_of_the_frontend_and_one_of_a_pod_is_not_translated() -> Result<()>
{
    let ground = Ground::new("host-clients-told")?;
    let cluster = cluster(&ground)?;
    let mut rows = Vec::new();
    for way in NEAR.ways().into_iter().chain(FAR.ways()) {
        let server = if NEAR.ways().contains(&way) { "near" } else { "far" };
        rows.push((way.protocol, way.address, backend(&cluster, server, way.address)?));
        if let IpAddr::V4(v4) = way.address.ip() {
            let mapped = |addr: SocketAddr| match addr.ip() {
                IpAddr::V4(v4) => SocketAddr::new(v4.to_ipv6_mapped().into(), addr.port()),
                IpAddr::V6(_) => addr,
            };
            let to = mapped(SocketAddr::new(v4.into(), way.address.port()));
            rows.push((way.protocol, to, mapped(backend(&cluster, server, way.address)?)));
        }
    }
    for (protocol, address, backend) in rows {
        let talks: &[Talk] = match protocol {
            Protocol::Tcp => &[Talk::Tcp],
            Protocol::Udp => &[Talk::Udp, Talk::Datagram],
        };
        for talk in talks {
            for (asker, kernel) in [("node-a", backend), ("client", address)] {
                let kernel = (*talk != Talk::Datagram).then_some(kernel);
                let peers = cluster.pod(asker)?.peers(*talk, address, ANSWER)?;
                let peers = peers.with_context(|| format!("{asker} {talk:?} {address}"))?;
                assert_eq!(peers, Peers { told: address, kernel }, "{asker} {talk:?} {address}");
            }
        }
    }
    Ok(())
}

fn backend(cluster: &Cluster<'_>, server: &str, like: SocketAddr) -> Result<SocketAddr> {
    let Attachment { v4, v6 } = cluster.addresses(server)?;
    let ip: IpAddr = if like.is_ipv4() { v4.into() } else { v6.into() };
    Ok(SocketAddr::new(ip, PORT))
}

#[test]
fn a_service_that_nobody_serves_refuses_processes_of_the_node_at_once() -> Result<()> {
    let ground = Ground::new("host-clients-refused")?;
    let cluster = cluster(&ground)?;
    let node = cluster.pod("node-a")?;
    for way in EMPTY.ways() {
        let talks: &[Talk] = match way.protocol {
            Protocol::Tcp => &[Talk::Tcp],
            Protocol::Udp => &[Talk::Udp, Talk::Datagram],
        };
        for talk in talks {
            let started = Instant::now();
            let outcome = node.peers(*talk, way.address, ANSWER)?.map_err(|error| error.kind());
            assert_eq!(outcome, Err(io::ErrorKind::ConnectionRefused), "{talk:?} {way:?}");
            assert!(started.elapsed() < AT_ONCE, "{talk:?} {way:?} took {:?}", started.elapsed());
        }
    }
    Ok(())
}

#[test]
fn a_node_with_session_affinity_stays_with_one_backend_by_cluster_ip_and_node_port() -> Result<()> {
    let ground = Ground::new("host-clients-affinity")?;
    let mut cluster = cluster(&ground)?;
    let node_ports = STICKY.ways_at(Frontend::NodePort(cluster.addresses("node-a")?));
    let node = cluster.pod("node-a")?;
    for (cluster_ip, node_port) in STICKY.ways().into_iter().zip(node_ports) {
        for way in [cluster_ip, node_port] {
            wait_until(|| Ok(node.ask(way.protocol, way.address, ANSWER)?.is_ok()))
                .with_context(|| format!("{way:?}"))?;
        }
        let mut servers = Vec::new();
        for way in [cluster_ip, node_port].into_iter().cycle().take(FLOWS) {
            servers.push(node.ask(way.protocol, way.address, ANSWER)??.server);
        }
        servers.dedup();
        assert_eq!(servers.len(), 1, "{cluster_ip:?}: {servers:?}");
    }
    cluster.agents[0].kill()?;
    let way = STICKY.ways()[0];
    cluster.pod("node-a")?.ask(way.protocol, way.address, ANSWER)?.context("without an agent")?;
    Ok(())
}
