//! At which of a node's addresses its NodePorts are served.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use anyhow::{Context as _, Result, ensure};
use xtask::workload::ask;

use super::{
    cluster::{ANSWER, Cluster, DELIVERIES, Ground, wait_until},
    services::{Frontend, OPEN, Way, ways},
};

/// Addresses that node-a comes to hold; the router leads there.
const SECOND: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(198, 51, 100, 250)),
    IpAddr::V6(Ipv6Addr::new(0xfdc6, 0, 0, 0, 0, 0, 0, 0x250)),
];

/// Those that SECOND are in, and of loopback.
const CASES: [(&str, [bool; 2]); 4] = [
    ("", [true, false]),
    ("nodePortAddresses: [198.51.100.0/24, 'fdc6::/64']\n", [false, true]),
    ("nodePortAddresses: [all]\n", [true, true]),
    ("nodePortAddresses: [primary]\n", [true, false]),
];

/// The ways to a NodePort that is served by a pod of node-a, at these addresses.
fn node_port(v4: IpAddr, v6: IpAddr) -> [Way; 4] {
    let [any, ..] = OPEN[0].ways_at(Frontend::NodePort(super::services::HAIRPIN));
    ways(v4, v6, |_| any.address.port())
}

fn is_refused<T>(outcome: &io::Result<T>) -> bool {
    matches!(outcome, Err(error) if error.kind() == io::ErrorKind::ConnectionRefused)
}

/// Waits until somebody outside is answered by the ways, or refused where nobody listens.
fn wait_for(cluster: &Cluster<'_>, ways: [Way; 4], is_served: bool) -> Result<()> {
    for Way { protocol, address } in ways {
        wait_until(|| {
            let outcome = cluster.outside()?.run(|| ask(protocol, address, ANSWER))?;
            Ok(if is_served { outcome.is_ok() } else { is_refused(&outcome) })
        })
        .with_context(|| format!("{protocol:?} {address}: served {is_served}"))?;
    }
    Ok(())
}

fn second(cluster: &Cluster<'_>, verb: &str) -> Result<()> {
    for ip in SECOND {
        let bits = if ip.is_ipv4() { 32 } else { 128 };
        let mut command = cluster.netns("node-a")?.command("ip");
        command.args(["address", verb, &format!("{ip}/{bits}"), "dev", "eth0"]);
        let output = command.args(ip.is_ipv6().then_some("nodad")).output()?;
        ensure!(output.status.success(), "{output:?}");
    }
    Ok(())
}

/// The addresses come after the agent has started.
#[test]
fn node_ports_are_served_where_the_configuration_says() -> Result<()> {
    let ground = Ground::new("addresses")?;
    let mut cluster = Cluster::start(&ground, DELIVERIES[0])?;
    let first = cluster.addresses("node-a")?;
    let first = node_port(first.v4.into(), first.v6.into());
    let [v4, v6] = SECOND;
    for (lines, [at_first, at_second]) in CASES {
        if !lines.is_empty() {
            cluster.configure(lines)?;
        }
        let served = || -> Result<()> {
            wait_for(&cluster, first, at_first)?;
            second(&cluster, "add")?;
            wait_for(&cluster, node_port(v4, v6), at_second)?;
            second(&cluster, "delete")
        };
        served().with_context(|| format!("'{lines}'\n{}", cluster.logs()))?;
    }
    Ok(())
}

#[test]
fn processes_reach_node_ports_by_loopback_where_it_is_asked_for() -> Result<()> {
    let ground = Ground::new("addresses-loopback")?;
    let mut cluster = Cluster::start(&ground, DELIVERIES[0])?;
    let ways = node_port(Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into());
    let second_loopback = SocketAddr::new([127, 0, 0, 2].into(), ways[0].address.port());
    for (lines, is_served) in [("", false), ("nodePortAddresses: [primary, localhost]\n", true)] {
        if is_served {
            cluster.configure(lines)?;
        }
        for Way { protocol, address } in ways {
            wait_until(|| {
                let outcome = cluster.pod("node-a")?.ask(protocol, address, ANSWER)?;
                Ok(if is_served {
                    outcome.is_ok_and(|answer| answer.server == "near")
                } else {
                    is_refused(&outcome)
                })
            })
            .with_context(|| format!("{protocol:?} {address}: served {is_served}"))?;
            // A pod's loopback is its own.
            let of_pod = cluster.pod("client")?.ask(protocol, address, ANSWER)?;
            ensure!(is_refused(&of_pod), "a pod to {protocol:?} {address}: {of_pod:?}");
        }
    }
    let Way { protocol, .. } = ways[0];
    let other = cluster.pod("node-a")?.ask(protocol, second_loopback, ANSWER)?;
    ensure!(other.is_ok_and(|answer| answer.server == "near"), "127.0.0.2 is loopback too");
    Ok(())
}
