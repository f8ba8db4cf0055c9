//! What comes in from others than pods, at each node, for each kind of backend.

use std::{io, net::IpAddr, thread, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use xtask::{
    topology::{Attachment, Netns, OUTSIDE},
    workload::ask,
};

use super::{
    cluster::{ANSWER, Cluster, DELIVERIES, Ground, MODES, Mode, wait_until},
    services::{Frontend, HAIRPIN, Kind, OPEN, OPEN_LOCAL, Service, Way},
    strictness::strictness,
    traffic::Traffic,
};

/// Asked often enough that a new flow and a known one both occur.
const TIMES: usize = 3;

/// How long an answer is waited for that must not come.
const SILENCE: Duration = Duration::from_millis(500);

/// Somebody who asks from a place.
struct Asker<'a> {
    name: &'static str,
    netns: &'a Netns,
    addresses: Attachment,
    /// By which frontends, each at the node of that name.
    frontends: Vec<(Frontend, &'static str)>,
}

/// How it is to end: who answers and whom that one sees, or nothing.
type Outcome = Option<(&'static str, Attachment)>;

#[test]
fn every_inbound_walk_arrives_as_its_policy_says_in_every_mode() -> Result<()> {
    let mut wrong = Vec::new();
    for mode in MODES {
        let ground = Ground::new(&format!("inbound-{}-{}", mode.delivery, mode.attach))?;
        let cluster = Cluster::start(&ground, mode)?;
        assert_eq!(strictness(&cluster)?, ["all 0 0", "eth0 1 0"], "{mode:?}");
        for asker in askers(&cluster)? {
            wrong.extend(walks(&cluster, mode, &asker)?);
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    Ok(())
}

fn askers<'a>(cluster: &'a Cluster<'_>) -> Result<[Asker<'a>; 3]> {
    let [a, b] = [cluster.addresses("node-a")?, cluster.addresses("node-b")?];
    let (at_a, at_b) = ((Frontend::NodePort(a), "node-a"), (Frontend::NodePort(b), "node-b"));
    let routed = [(Frontend::Virtual, "node-a"), (Frontend::External, "node-a")];
    Ok([
        Asker {
            name: "outside",
            netns: cluster.outside()?,
            addresses: OUTSIDE,
            frontends: [&[at_a, at_b][..], &routed].concat(),
        },
        Asker {
            name: "a pod of node-a",
            netns: cluster.netns("client")?,
            addresses: cluster.addresses("client")?,
            frontends: [&[at_a, at_b][..], &routed].concat(),
        },
        // A socket of none of the node's cgroups, so that its packets are what is translated.
        Asker {
            name: "node-b",
            netns: cluster.netns("node-b")?,
            addresses: b,
            frontends: vec![at_a],
        },
    ])
}

/// What is wrong with the walks of one asker.
fn walks(cluster: &Cluster<'_>, mode: Mode, asker: &Asker<'_>) -> Result<Vec<String>> {
    let mut rows = Vec::new();
    for &(frontend, entry) in &asker.frontends {
        for service in [OPEN, OPEN_LOCAL].concat() {
            let outcome = expected(cluster, asker, service, entry)?;
            rows.extend(service.ways_at(frontend).map(|way| (service.name, entry, way, outcome)));
        }
    }
    // Those that are not answered take long, so all are asked for at once.
    thread::scope(|scope| {
        let rows: Vec<_> = rows.iter().map(|row| scope.spawn(|| walk(asker, row))).collect();
        let found = rows.into_iter().map(|row| row.join().expect("the walk ends"));
        found.filter_map(Result::transpose).collect::<Result<Vec<String>>>()
    })
    .map(|wrong| wrong.into_iter().map(|line| format!("{mode:?} {line}")).collect())
}

/// The policies' words on it.
fn expected(
    cluster: &Cluster<'_>,
    asker: &Asker<'_>,
    service: Service,
    entry: &str,
) -> Result<Outcome> {
    let [server] = *service.endpoints else { return Ok(None) };
    let is_own_pod = asker.name == "a pod of node-a" && entry == "node-a";
    Ok(match service.kind {
        // Nothing masquerades what stays with a node's own sockets.
        Kind::Open if server == entry => Some((server, asker.addresses)),
        Kind::Open => Some((server, cluster.addresses(entry)?)),
        Kind::OpenLocal if is_own_pod && server == "client" => Some((server, HAIRPIN)),
        Kind::OpenLocal if is_own_pod || cluster.node_of(server)?.name() == entry => {
            Some((server, asker.addresses))
        }
        Kind::OpenLocal | Kind::Inside | Kind::Sticky => None,
    })
}

/// What is wrong with one walk.
fn walk(
    asker: &Asker<'_>,
    (service, entry, way, outcome): &(&str, &str, Way, Outcome),
) -> Result<Option<String>> {
    let seen = |Attachment { v4, v6 }: Attachment| -> IpAddr {
        if way.address.is_ipv4() { v4.into() } else { v6.into() }
    };
    let expected = outcome.map(|(server, client)| (server.to_owned(), seen(client)));
    let (times, patience) = if expected.is_some() { (TIMES, ANSWER) } else { (1, SILENCE) };
    for _ in 0..times {
        let found = asker.netns.run(|| ask(way.protocol, way.address, patience))?;
        let found = match found {
            Ok(answer) => Ok(Some((answer.server, answer.client.ip()))),
            Err(error) if is_silence(&error) => Ok(None),
            Err(error) => Err(error),
        };
        if !matches!(&found, Ok(found) if *found == expected) {
            let name = asker.name;
            return Ok(Some(format!(
                "{name} asks for {service} at {entry} by {way:?}: expected {expected:?}, found \
                 {found:?}"
            )));
        }
    }
    Ok(None)
}

fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
}

/// A NodePort lower than all others.
const LOW_NODE_PORT: &str = r"
apiVersion: v1
kind: Service
metadata: {name: low, namespace: default}
spec:
  type: NodePort
  clusterIP: 10.96.0.99
  clusterIPs: [10.96.0.99]
  ports: [{name: http, port: 80, nodePort: 2000, protocol: TCP}]
";

#[test]
fn flows_go_on_while_the_ports_that_stand_for_clients_change() -> Result<()> {
    for mode in DELIVERIES {
        let ground = Ground::new(&format!("ports-{}-{}", mode.delivery, mode.attach))?;
        let mut cluster = Cluster::start(&ground, mode)?;
        change_ports(&mut cluster).with_context(|| format!("{mode:?}\n{}", cluster.logs()))?;
    }
    Ok(())
}

fn change_ports(cluster: &mut Cluster<'_>) -> Result<()> {
    let traffic = Traffic::begin(cluster)?;
    sockets_get(cluster, "10000 60999")?;
    wait_for_ports(cluster, 1024, 9999)?;
    traffic.check(cluster).context("fewer ports than before")?;
    cluster.add_objects("low.yaml", LOW_NODE_PORT)?;
    wait_for_ports(cluster, 61_000, 65_535)?;
    traffic.check(cluster).context("none of the ports of before")?;
    cluster.agents[0].kill()?;
    sockets_get(cluster, "40000 65535")?;
    cluster.agents[0].restart()?;
    wait_for_ports(cluster, 32_768, 39_999)?;
    traffic.finish(cluster).context("other ports after a restart")
}

/// Says which ports node-a's sockets get that ask for none.
fn sockets_get(cluster: &Cluster<'_>, range: &str) -> Result<()> {
    let line = format!("echo {range} > /proc/sys/net/ipv4/ip_local_port_range");
    let status = cluster.netns_of_node("node-a")?.command("sh").args(["-c", &line]).status()?;
    ensure!(status.success(), "{line}: {status}");
    Ok(())
}

fn wait_for_ports(cluster: &Cluster<'_>, first: u16, last: u16) -> Result<()> {
    let expected = json!({"first": first, "last": last, "shared": false});
    wait_until(|| Ok(cluster.status("node-a")?["addresses"]["ports"] == expected))
        .with_context(|| format!("ports {first} to {last}"))
}
