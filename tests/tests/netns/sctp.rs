//! SCTP through Services, by raw sockets: the kernel needs to know nothing of it.

use std::{
    net::{IpAddr, SocketAddr},
    os::fd::OwnedFd,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto, recvfrom, sendto,
    socket_with,
    sockopt::{Timeout, set_socket_timeout},
};
use waggle_tests::sctp;
use xtask::topology::{Attachment, Netns, OUTSIDE};

use super::cluster::{Cluster, DELIVERIES, Ground, wait_until};

/// The endpoint's port, which is a NodePort, too.
const PORT: u16 = 30_132;
/// A NodePort at which nobody listens.
const OTHER: u16 = 30_133;

const CLUSTER_IPS: [&str; 2] = ["10.96.0.132", "fd00:10:96::132"];

/// Types of chunks.
const INIT: u8 = 1;
const INIT_ACK: u8 = 2;

/// How long a packet is waited for.
const PATIENCE: Duration = Duration::from_millis(300);

/// A Service that leads to a pod by its own port, and by a NodePort that is no port of the pod.
fn objects(node_port: u16, endpoint: Attachment) -> String {
    let [v4, v6] = CLUSTER_IPS;
    let slice = |family: &str, ip: IpAddr| {
        format!(
            "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{namespace: \
             default, name: sctp-{}, labels: {{kubernetes.io/service-name: sctp}}}}\naddressType: \
             {family}\nports: [{{name: s1ap, port: {PORT}, protocol: SCTP}}]\nendpoints: \
             [{{addresses: ['{ip}'], nodeName: node-a}}]\n",
            family.to_lowercase()
        )
    };
    let service = format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{namespace: default, name: sctp}}\nspec:\n  \
         type: NodePort\n  clusterIPs: [{v4}, '{v6}']\n  ports: [{{name: s1ap, port: {PORT}, \
         nodePort: {node_port}, protocol: SCTP}}]\n"
    );
    service + &slice("IPv4", endpoint.v4.into()) + &slice("IPv6", endpoint.v6.into())
}

/// Who opens an association by which frontend, and whom the pod sees. Each has a port of its own:
/// nobody gets another one.
struct Walk<'a> {
    name: &'static str,
    from: (&'a Netns, u16),
    to: SocketAddr,
    seen: IpAddr,
}

fn walks<'a>(cluster: &'a Cluster<'_>, is_v4: bool) -> Result<Vec<Walk<'a>>> {
    let ip = |of: Attachment| if is_v4 { IpAddr::from(of.v4) } else { of.v6.into() };
    let of = |name: &str| cluster.addresses(name).map(ip);
    let cluster_ip: IpAddr = CLUSTER_IPS[usize::from(!is_v4)].parse()?;
    let [a, b] = [of("node-a")?, of("node-b")?];
    let mut ports = 2_905..;
    let mut walk = |name, from, to, seen| {
        let from = (from, ports.next().expect("ports enough"));
        Walk { name, from, to: SocketAddr::new(to, PORT), seen }
    };
    let (here, there) = (cluster.netns("client")?, cluster.netns("far")?);
    let outside = cluster.outside()?;
    Ok(vec![
        walk("a pod to the cluster IP", here, cluster_ip, of("client")?),
        walk("a pod elsewhere to it", there, cluster_ip, of("far")?),
        walk("a pod to the NodePort", here, a, a),
        walk("outside to the NodePort", outside, a, a),
        walk("outside to that of another node", outside, b, b),
    ])
}

#[test]
fn associations_reach_services_by_their_own_ports_and_return() -> Result<()> {
    for mode in DELIVERIES {
        let ground = Ground::new(&format!("sctp-{}-{}", mode.delivery, mode.attach))?;
        let cluster = Cluster::start(&ground, mode)?;
        let pod = cluster.netns("near")?;
        cluster.add_objects("sctp.yaml", &objects(PORT, cluster.addresses("near")?))?;
        for is_v4 in [true, false] {
            for walk in walks(&cluster, is_v4)? {
                wait_until(|| Ok(walk.opens(pod).is_ok()))
                    .and_then(|()| walk.opens(pod))
                    .with_context(|| format!("{mode:?}, {}: {:?}", walk.name, walk.opens(pod)))?;
            }
            let [.., outside, _] = &walks(&cluster, is_v4)?[..] else { unreachable!("five walks") };
            let same = Walk { from: (cluster.netns("client")?, outside.from.1), ..*outside };
            ensure!(same.opens(pod).is_err(), "{mode:?}: two clients by one port");
        }
        is_refused_elsewhere(&cluster)?;
    }
    Ok(())
}

/// The NodePort moves away from the pod's port.
fn is_refused_elsewhere(cluster: &Cluster<'_>) -> Result<()> {
    let near = cluster.addresses("near")?;
    cluster.add_objects("sctp.yaml", &objects(OTHER, near))?;
    wait_until(|| {
        let status = cluster.status("node-a")?;
        let mut problems = status["problems"].as_array().into_iter().flatten();
        let frontend = format!("0.0.0.0:{OTHER}/SCTP");
        Ok(problems.any(|problem| {
            problem["object"] == "Service default/sctp"
                && problem["message"].as_str().is_some_and(|it| it.contains(&frontend))
        }))
    })?;
    let to = SocketAddr::new(cluster.addresses("node-a")?.v4.into(), OTHER);
    let from = (cluster.outside()?, 2_999);
    let walk = Walk { name: "outside to no port of the pod", from, to, seen: OUTSIDE.v4.into() };
    ensure!(walk.opens(cluster.netns("near")?).is_err(), "its port was rewritten");
    Ok(())
}

impl Walk<'_> {
    /// One packet there and one back, whose checksums stay right.
    fn opens(&self, pod: &Netns) -> Result<()> {
        let Self { from: (netns, own), to, seen, .. } = *self;
        let [client, server] = [netns, pod].map(|it| it.run(|| open(to.ip())));
        let (client, server) = (client??, server??);
        send(&client, to.ip(), &sctp::packet([own, to.port()], INIT, &[1; 16]))?;
        let source = receive(&server, [own, PORT]).context("at the pod")?;
        ensure!(source == seen, "the pod sees {source}");
        send(&server, source, &sctp::packet([PORT, own], INIT_ACK, &[2; 16]))?;
        let source = receive(&client, [to.port(), own]).context("at the client")?;
        ensure!(source == to.ip(), "the client sees {source}");
        Ok(())
    }
}

/// In this thread's network namespace.
fn open(like: IpAddr) -> Result<OwnedFd> {
    let family = if like.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let protocol = Some(ipproto::SCTP);
    let socket = socket_with(family, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
    Ok(socket)
}

fn send(socket: &OwnedFd, to: IpAddr, packet: &[u8]) -> Result<()> {
    sendto(socket, packet, SendFlags::empty(), &SocketAddr::new(to, 0))?;
    Ok(())
}

/// Who sends a whole packet between these ports.
fn receive(socket: &OwnedFd, [from, to]: [u16; 2]) -> Result<IpAddr> {
    let mut buffer = [0; 256];
    loop {
        let (length, _, source) = recvfrom(socket, &mut buffer, RecvFlags::empty())?;
        let source = SocketAddr::try_from(source.context("nobody sent it")?)?.ip();
        // Only IPv4's packets come with their IP header.
        let header = if source.is_ipv4() { usize::from(buffer[0] & 0xf) * 4 } else { 0 };
        let packet = &buffer[header..length];
        if packet.starts_with(&[from.to_be_bytes(), to.to_be_bytes()].concat()) {
            ensure!(sctp::is_whole(packet), "a wrong checksum: {packet:?}");
            return Ok(source);
        }
    }
}
