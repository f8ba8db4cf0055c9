//! A node that takes over from another proxy whose connections live: that one's rules translate what
//! it began, until they go.

use std::{
    io::ErrorKind,
    net::{IpAddr, SocketAddr},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use xtask::{conntrack, workload::Protocol};

use super::{
    cluster::{ANSWER, Cluster, DELIVERIES, Ground, waggle, wait_until},
    resets::Connection,
    services::{BOTH, Frontend, OPEN, PORT, Service, Way},
};

/// Served by two pods, so that nobody knows who had a connection that is not known.
const OUTER: Service = OPEN[1];

/// The other proxy's tables, each by its family.
const TABLES: [&str; 2] = ["ip", "ip6"];

#[test]
fn connections_of_another_proxy_live_while_its_rules_do() -> Result<()> {
    for mode in DELIVERIES {
        let ground = Ground::new(&format!("adoption-{}", mode.delivery))?;
        let mut cluster = Cluster::start(&ground, mode)?;
        cluster.set_endpoints(OUTER, &["near", "far"])?;
        take_over(&mut cluster).with_context(|| format!("{mode:?}\n{}", cluster.logs()))?;
    }
    Ok(())
}

fn take_over(cluster: &mut Cluster<'_>) -> Result<()> {
    leave(cluster)?;
    translate(cluster)?;
    let mut connections = connections(cluster)?;
    cluster.agents[0].restart()?;
    let because = TABLES.map(|family| format!("nft table {family} kube-proxy"));
    wait_for_window(cluster, &because)?;
    for connection in &mut connections {
        connection.ask().with_context(|| format!("{}, with an agent", connection.name))?;
    }
    forget(cluster)?;
    // Each by itself: the second of a pair might be dropped for both.
    for connection in &mut connections {
        let before = dropped(cluster)?;
        connection.send()?;
        wait_until(|| Ok(dropped(cluster)? > before))
            .with_context(|| format!("{}: nobody translates it", connection.name))?;
    }
    for family in TABLES {
        nft(cluster, &format!("delete table {family} kube-proxy"))?;
    }
    wait_for_window(cluster, &[])?;
    for connection in &mut connections {
        let told = connection.receive().map_err(|error| error.kind());
        let (name, reset) = (&connection.name, Err(ErrorKind::ConnectionReset));
        ensure!(told == reset, "{name} with the window closed: {told:?}");
    }
    own(cluster)
}

/// Connections of this node's own do not need what netfilter knows.
fn own(cluster: &Cluster<'_>) -> Result<()> {
    let mut connections = connections(cluster)?;
    forget(cluster)?;
    for connection in &mut connections {
        connection.ask().with_context(|| format!("{}, of our own", connection.name))?;
    }
    Ok(())
}

/// Leaves nothing of ours on node-a, but for its pods.
fn leave(cluster: &mut Cluster<'_>) -> Result<()> {
    cluster.agents[0].stop()?;
    let output = cluster.node_of("node-a")?.command(waggle()?)?.arg("cleanup").output()?;
    ensure!(output.status.success(), "{output:?}");
    Ok(())
}

/// The frontends that are asked for: by a pod, and by a client outside.
fn frontends() -> impl Iterator<Item = (&'static str, Way)> {
    let inner = BOTH.ways().map(|way| ("client", way));
    let outer = OUTER.ways_at(Frontend::Virtual).map(|way| ("outside", way));
    inner.into_iter().chain(outer).filter(|(_, way)| way.protocol == Protocol::Tcp)
}

/// Lets netfilter do on node-a what another proxy's rules say.
fn translate(cluster: &Cluster<'_>) -> Result<()> {
    let near = cluster.addresses("near")?;
    let servers: [IpAddr; 2] = [near.v4.into(), near.v6.into()];
    for (family, server) in TABLES.into_iter().zip(servers) {
        let (table, to) = (format!("{family} kube-proxy"), SocketAddr::new(server, PORT));
        let mut rules = format!(
            "add table {table}; \
             add chain {table} services {{ type nat hook prerouting priority -100; }}; "
        );
        for (_, way) in frontends().filter(|(_, way)| way.address.is_ipv4() == to.is_ipv4()) {
            let (ip, port) = (way.address.ip(), way.address.port());
            rules += &format!(
                "add rule {table} services {family} daddr {ip} tcp dport {port} dnat to {to}; "
            );
        }
        nft(cluster, &rules)?;
    }
    // What it has forgotten is nobody's that it knows.
    cluster.netns("node-a")?.set_sysctl("netfilter/nf_conntrack_tcp_loose", "0")
}

fn nft(cluster: &Cluster<'_>, rules: &str) -> Result<()> {
    let output = cluster.netns("node-a")?.command("nft").arg(rules).output()?;
    ensure!(output.status.success(), "nft {rules}: {output:?}");
    Ok(())
}

fn connections(cluster: &Cluster<'_>) -> Result<Vec<Connection>> {
    let begin = |(who, way)| {
        let netns = if who == "outside" { cluster.outside()? } else { cluster.netns(who)? };
        Connection::begin(who, netns, way, 5 * ANSWER)
    };
    frontends().map(begin).collect()
}

/// Netfilter forgets every flow of node-a, as it does when its table has no room for them.
fn forget(cluster: &Cluster<'_>) -> Result<()> {
    Ok(cluster.netns("node-a")?.run(conntrack::flush)??)
}

fn wait_for_window(cluster: &Cluster<'_>, because: &[String]) -> Result<()> {
    let expected = json!({"open": !because.is_empty(), "because": because});
    wait_until(|| Ok(cluster.status("node-a")?["adoption"] == expected))
        .with_context(|| format!("{expected}"))
}

fn dropped(cluster: &Cluster<'_>) -> Result<u64> {
    let status = cluster.status("node-a")?;
    let count = status.pointer("/counters/drop_untranslated_vip").and_then(Value::as_u64);
    count.with_context(|| format!("{status}"))
}
