//! Which way a mode sends packets: past the host's stack, or through it.

use std::fs;

use anyhow::{Context as _, Result};
use xtask::{topology::Netns, workload::ask};

use super::{
    cluster::{ANSWER, Cluster, Ground, MODES, Mode, wait_until},
    services::{FAR, Frontend, NEAR, OPEN, OPEN_LOCAL},
    socket::Connected,
};

/// More than what is on a network of two nodes beside a test's own packets.
const EXCHANGES: u64 = 200;

/// Whether something is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Nothing,
    Something,
}

use Seen::{Nothing, Something};

#[test]
fn bypass_goes_past_the_stack_and_clsact_makes_filters() -> Result<()> {
    for mode in MODES {
        let ground = Ground::new(&format!("delivery-{}-{}", mode.delivery, mode.attach))?;
        let cluster = Cluster::start(&ground, mode)?;
        let Mode { delivery, attach } = mode;
        let stack = if delivery == "stack" { Something } else { Nothing };
        let filters = if attach == "clsact" { Something } else { Nothing };
        assert_eq!((forwarded(&cluster)?, our_filters(&cluster)?), (stack, filters), "{mode:?}");
    }
    Ok(())
}

/// Whether the stack of the client's node forwards anything for requests of the client and of one
/// outside.
fn forwarded(cluster: &Cluster<'_>) -> Result<Seen> {
    let node = cluster.netns_of_node("client")?;
    let before = counters(node)?;
    for way in [NEAR.ways(), FAR.ways()].concat() {
        cluster.ask(way)??;
    }
    let at = Frontend::NodePort(cluster.addresses("node-a")?);
    let ([near, far, ..], [local_near, ..]) = (OPEN, OPEN_LOCAL);
    for way in [near, far, local_near].map(|service| service.ways_at(at)).concat() {
        cluster.outside()?.run(|| ask(way.protocol, way.address, ANSWER))??;
    }
    Ok(if counters(node)? == before { Nothing } else { Something })
}

/// Packets forwarded over IPv4 and IPv6.
fn counters(netns: &Netns) -> Result<[String; 2]> {
    let read = |name: &str| fs::read_to_string(format!("/proc/thread-self/net/{name}"));
    let (v4, v6) = netns.run(|| (read("snmp"), read("snmp6")))?;
    let (v4, v6) = (v4?, v6?);
    let mut ip = v4.lines().filter_map(|line| line.strip_prefix("Ip: "));
    let (names, values) = (ip.next().context("no names")?, ip.next().context("no values")?);
    let v4 = names.split(' ').zip(values.split(' ')).find(|(name, _)| *name == "ForwDatagrams");
    let v6 = v6.lines().find(|line| line.starts_with("Ip6OutForwDatagrams"));
    Ok([v4.context("no ForwDatagrams")?.1.to_owned(), v6.context("no forwarding")?.to_owned()])
}

/// Whether our programs are filters of the client's link.
fn our_filters(cluster: &Cluster<'_>) -> Result<Seen> {
    let device = cluster.host_side("client")?;
    let output = cluster
        .netns_of_node("client")?
        .command("tc")
        .args(["filter", "show", "dev", &device, "ingress"])
        .output()?;
    let shown = String::from_utf8(output.stdout)?;
    Ok(if shown.contains("from_pod") { Something } else { Nothing })
}

/// What the programs of a node did for each exchange of a pod with one of another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Done {
    to_neighbours: u64,
    to_pods: u64,
    /// Left to the stack, or to a device's own ways, after a look at the tables.
    passed: u64,
}

#[test]
fn what_was_redirected_is_not_looked_at_again_where_it_leaves() -> Result<()> {
    for mode in MODES.into_iter().filter(|mode| mode.delivery == "bypass") {
        let ground = Ground::new(&format!("once-{}-{}", mode.delivery, mode.attach))?;
        let cluster = Cluster::start(&ground, mode)?;
        let direct = Done { to_neighbours: 1, to_pods: 1, passed: 0 };
        assert_eq!(exchanges(&cluster)?, direct, "{mode:?}");
        let before = served(&cluster)?;
        build_tunnel(&cluster)?;
        wait_until(|| Ok(served(&cluster)? > before))?;
        // Packets of the tunnel itself pass, one for each that it carries.
        assert_eq!(exchanges(&cluster)?, Done { passed: 2, ..direct }, "{mode:?} by a tunnel");
    }
    Ok(())
}

fn exchanges(cluster: &Cluster<'_>) -> Result<Done> {
    let [_, way, ..] = FAR.ways();
    let count = |name: &str| -> Result<u64> {
        cluster.status("client")?["counters"][name].as_u64().context("no such counter")
    };
    let counts =
        || -> Result<[u64; 3]> { Ok([count("neighbour")?, count("peer")?, count("passed")?]) };
    let before = counts()?;
    cluster.netns("client")?.run(|| -> Result<()> {
        let socket = Connected::to(way.address)?;
        (0..EXCHANGES).try_for_each(|_| Ok(socket.exchange(16)?))
    })??;
    let mut each = counts()?;
    for (after, before) in each.iter_mut().zip(before) {
        *after = (*after - before) / EXCHANGES;
    }
    let [to_neighbours, to_pods, passed] = each;
    Ok(Done { to_neighbours, to_pods, passed })
}

/// How many devices of the client's node are served.
fn served(cluster: &Cluster<'_>) -> Result<usize> {
    let status = cluster.status("client")?;
    Ok(status["devices"].as_array().context("no devices")?.len())
}

/// Lets the client's packets and those of its peer on the other node go by a VXLAN.
fn build_tunnel(cluster: &Cluster<'_>) -> Result<()> {
    let ends = [("client", "far", 1, 2), ("far", "client", 2, 1)];
    for (here, there, own, other) in ends {
        let [local, remote] =
            [here, there].map(|pod| cluster.node_of(pod).map(|node| node.addresses().v4));
        let (local, remote) = (local?, remote?);
        cluster.netns_of_node(here)?.ip(&[
            format!(
                "link add vx0 type vxlan id 7 dstport 4789 local {local} remote {remote} dev eth0"
            ),
            format!("address add 172.31.0.{own}/24 dev vx0"),
            "link set vx0 up".to_owned(),
            format!("route add {}/32 via 172.31.0.{other}", cluster.addresses(there)?.v4),
        ])?;
    }
    Ok(())
}
