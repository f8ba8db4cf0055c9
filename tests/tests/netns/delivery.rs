//! Which way a mode sends packets: past the host's stack, or through it.

use std::fs;

use anyhow::{Context as _, Result};
use xtask::{topology::Netns, workload::ask};

use super::{
    cluster::{ANSWER, Cluster, Ground, MODES, Mode},
    services::{FAR, Frontend, NEAR, OPEN, OPEN_LOCAL},
};

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
