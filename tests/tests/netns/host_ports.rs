//! Ports of a node that lead to a pod, asked for from everywhere.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

use anyhow::{Context as _, Result, ensure};
use xtask::{
    topology::{Attachment, OUTSIDE, Runtime},
    workload::{Answer, Protocol, ask},
};

use super::{
    cluster::{ANSWER, Cluster, DELIVERIES, Ground, plugin, wait_until},
    services::{HAIRPIN, PORT},
};

const HOST_PORT: u16 = 9090;
/// Another one that leads to the same port of the pod.
const OTHER_PORT: u16 = 9091;
const PROTOCOLS: [Protocol; 2] = [Protocol::Tcp, Protocol::Udp];
/// An address that the node gets later.
const LATER: Attachment =
    Attachment { v4: Ipv4Addr::new(10, 99, 0, 1), v6: Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 1) };

/// A runtime that asks for the ports.
fn runtime() -> Result<Runtime> {
    let mapping = |port: u16, protocol: &str| {
        format!(r#"{{"hostPort":{port},"containerPort":{PORT},"protocol":"{protocol}"}}"#)
    };
    let mappings =
        [mapping(HOST_PORT, "tcp"), mapping(HOST_PORT, "udp"), mapping(OTHER_PORT, "tcp")];
    let config = format!(
        r#"{{"cniVersion":"1.0.0","name":"waggle","type":"waggle-cni","runtimeConfig":{{"portMappings":[{}]}}}}"#,
        mappings.join(",")
    );
    Ok(Runtime::new(&plugin()?, &config))
}

/// Wires a pod with the ports at the first node and starts its server.
fn publish<'a>(cluster: &mut Cluster<'a>, ground: &'a Ground, name: &str) -> Result<()> {
    let pod = ground.network.a().make_pod(name)?;
    let addresses = runtime()?.add(&pod)?;
    cluster.adopt(pod, addresses)
}

fn ips(addresses: Attachment) -> [IpAddr; 2] {
    [addresses.v4.into(), addresses.v6.into()]
}

/// Who answers, and whom that one sees.
type Seen = (String, Option<IpAddr>);

/// What is wrong with an answer.
fn wrong(what: &str, found: io::Result<Answer>, client: Option<IpAddr>) -> Option<String> {
    let found = found.map(|answer| (answer.server, client.map(|_| answer.client.ip())));
    let expected: Seen = ("mapped".to_owned(), client);
    let is_right = matches!(&found, Ok(found) if *found == expected);
    (!is_right).then(|| format!("{what}: expected {expected:?}, found {found:?}"))
}

/// What is wrong with the ways from everybody to a port of the first node.
fn walks(cluster: &Cluster<'_>) -> Result<Vec<String>> {
    let askers = [
        ("outside", cluster.outside()?, Some(OUTSIDE)),
        ("client", cluster.netns("client")?, Some(cluster.addresses("client")?)),
        ("far", cluster.netns("far")?, None),
        ("node-b", cluster.netns("node-b")?, Some(cluster.addresses("node-b")?)),
        ("mapped", cluster.netns("mapped")?, Some(HAIRPIN)),
    ];
    let mut all = Vec::new();
    for (family, at) in ips(cluster.addresses("node-a")?).into_iter().enumerate() {
        for protocol in PROTOCOLS {
            let to = SocketAddr::new(at, HOST_PORT);
            for (name, netns, seen) in askers {
                let found = netns.run(|| ask(protocol, to, ANSWER))?;
                let seen = seen.map(|seen| ips(seen)[family]);
                all.extend(wrong(&format!("{name} {protocol:?} {to}"), found, seen));
            }
            let loopback: IpAddr =
                if at.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
            for to in [to, SocketAddr::new(loopback, HOST_PORT)] {
                let found = cluster.pod("node-a")?.ask(protocol, to, ANSWER)?;
                all.extend(wrong(&format!("node-a {protocol:?} {to}"), found, None));
            }
        }
        let to = SocketAddr::new(at, OTHER_PORT);
        let found = cluster.outside()?.run(|| ask(Protocol::Tcp, to, ANSWER))?;
        all.extend(wrong(&format!("another port {to}"), found, Some(ips(OUTSIDE)[family])));
    }
    Ok(all)
}

#[test]
fn a_port_of_the_node_is_reached_from_everywhere_and_clients_keep_their_address() -> Result<()> {
    for mode in DELIVERIES {
        let ground = Ground::new(&format!("host-ports-{}", mode.delivery))?;
        let mut cluster = Cluster::start(&ground, mode)?;
        publish(&mut cluster, &ground, "mapped")?;
        let wrong = walks(&cluster).with_context(|| cluster.logs())?;
        assert_eq!(wrong, Vec::<String>::new(), "{mode:?}");

        let to = SocketAddr::new(cluster.addresses("node-a")?.v4.into(), OTHER_PORT);
        let udp = cluster.outside()?.run(|| ask(Protocol::Udp, to, ANSWER))?;
        assert!(udp.is_err(), "{mode:?}: a port of TCP alone answered datagrams: {udp:?}");
        cluster.remove("mapped")?;
        for protocol in PROTOCOLS {
            let to = SocketAddr::new(to.ip(), HOST_PORT);
            let found = cluster.outside()?.run(|| ask(protocol, to, ANSWER))?;
            let kind = found.map_err(|error| error.kind());
            assert_eq!(kind.err(), Some(io::ErrorKind::ConnectionRefused), "{mode:?} {protocol:?}");
        }
    }
    Ok(())
}

#[test]
fn an_address_that_comes_later_serves_ports_too() -> Result<()> {
    let ground = Ground::new("host-ports-later")?;
    let mut cluster = Cluster::start(&ground, DELIVERIES[0])?;
    publish(&mut cluster, &ground, "mapped")?;
    cluster.netns("node-a")?.ip(&[
        format!("address add {}/32 dev lo", LATER.v4),
        format!("address add {}/128 dev lo", LATER.v6),
    ])?;
    for at in ips(LATER) {
        let to = SocketAddr::new(at, HOST_PORT);
        let client = cluster.netns("client")?;
        wait_until(|| Ok(client.run(|| ask(Protocol::Tcp, to, ANSWER))?.is_ok()))
            .with_context(|| format!("{to}\n{}", cluster.logs()))?;
    }
    Ok(())
}

/// The same client socket all the time; and the tables are made anew in between.
#[test]
fn datagrams_reach_the_next_pod_at_once_and_a_clean_up_costs_no_port() -> Result<()> {
    for mode in DELIVERIES {
        let ground = Ground::new(&format!("host-ports-next-{}", mode.delivery))?;
        let mut cluster = Cluster::start(&ground, mode)?;
        let to = SocketAddr::new(cluster.addresses("node-a")?.v4.into(), HOST_PORT);
        let socket = cluster.outside()?.run(|| UdpSocket::bind((OUTSIDE.v4, 0)))??;
        socket.set_read_timeout(Some(ANSWER))?;
        for name in ["first", "second"] {
            publish(&mut cluster, &ground, name)?;
            for _ in 0..2 {
                ensure!(echo(&socket, to)?.starts_with(name), "{mode:?} {name}");
            }
            if name == "first" {
                cluster.remove(name)?;
            }
        }
        cluster.agents[0].kill()?;
        let mut waggle = cluster.node_of("node-a")?.command(super::cluster::waggle()?)?;
        let output = waggle.arg("cleanup").output()?;
        ensure!(output.status.success(), "{output:?}");
        cluster.agents[0].restart()?;
        wait_until(|| Ok(echo(&socket, to).is_ok_and(|answer| answer.starts_with("second"))))
            .with_context(|| cluster.logs())?;
    }
    Ok(())
}

/// What is answered to a datagram.
fn echo(socket: &UdpSocket, to: SocketAddr) -> io::Result<String> {
    let mut answer = [0; 200];
    socket.send_to(b"who", to)?;
    let (length, from) = socket.recv_from(&mut answer)?;
    if from != to {
        return Err(io::Error::other(format!("{from} answered for {to}")));
    }
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}
