//! Cluster IPs where there is no frontend: ports that nobody serves, addresses that nobody has, and
//! one that a device of the node holds.

use std::{io, net::SocketAddr};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use xtask::workload::ask;

use super::{
    cluster::{ANSWER, Cluster, DELIVERIES, Ground, wait_until},
    errors::not_refused,
    services::{NEAR, Way},
};

/// Nobody serves it.
const UNSERVED: u16 = 81;

/// No Service has an address of its networks but those of the suite.
const CIDRS: &str = "{apiVersion: networking.k8s.io/v1, kind: ServiceCIDR, metadata: {name: all}, \
                     spec: {cidrs: [10.96.0.0/16, 'fd00:10:96::/112']}}";

/// Addresses in those networks that no Service has.
const UNALLOCATED: [&str; 2] = ["10.96.77.1", "fd00:10:96::7701"];

#[test]
fn ports_that_nobody_serves_are_refused_to_pods_and_to_processes_of_the_node() -> Result<()> {
    for mode in DELIVERIES {
        let ground = Ground::new(&format!("cluster-ips-refused-{}", mode.delivery))?;
        let cluster = Cluster::start(&ground, mode)?;
        let ways = NEAR.ways().map(|Way { protocol, address }| Way {
            protocol,
            address: SocketAddr::new(address.ip(), UNSERVED),
        });
        let mut wrong = Vec::new();
        for pod in ["client", "far"] {
            wrong.extend(not_refused(cluster.netns(pod)?, &ways)?);
        }
        for Way { protocol, address } in ways {
            let outcome = cluster.pod("node-a")?.ask(protocol, address, ANSWER)?;
            if !matches!(&outcome, Err(it) if it.kind() == io::ErrorKind::ConnectionRefused) {
                wrong.push(format!("a process of the node to {address}: {outcome:?}"));
            }
        }
        assert_eq!(wrong, Vec::<String>::new(), "{mode:?}");
    }
    Ok(())
}

#[test]
fn what_is_sent_to_an_address_that_nobody_has_is_dropped_by_name() -> Result<()> {
    let ground = Ground::new("cluster-ips-unallocated")?;
    let cluster = Cluster::start(&ground, DELIVERIES[0])?;
    cluster.add_objects("cidrs.yaml", CIDRS)?;
    for text in UNALLOCATED {
        for asker in ["client", "node-a"] {
            let before = dropped(&cluster)?;
            let [Way { protocol, .. }, ..] = NEAR.ways();
            let (address, netns) = (SocketAddr::new(text.parse()?, 80), cluster.netns(asker)?);
            wait_until(|| {
                let answer = netns.run(|| ask(protocol, address, ANSWER))?;
                ensure!(answer.is_err(), "{asker} is answered by {address}: {answer:?}");
                Ok(dropped(&cluster)? > before)
            })
            .with_context(|| format!("{asker} to {address}"))?;
        }
    }
    Ok(())
}

fn dropped(cluster: &Cluster<'_>) -> Result<u64> {
    let status = cluster.status("node-a")?;
    let count = status.pointer("/counters/drop_unallocated_cluster_ip").and_then(Value::as_u64);
    count.with_context(|| format!("{status}"))
}

/// As a DNS cache of the node takes the address of the cluster's.
#[test]
fn a_cluster_ip_that_a_device_of_the_node_holds_is_the_nodes() -> Result<()> {
    let ground = Ground::new("cluster-ips-held")?;
    let cluster = Cluster::start(&ground, DELIVERIES[0])?;
    let [way, ..] = NEAR.ways();
    let node = cluster.netns("node-a")?;
    let held = |verb| {
        let address = format!("{}/32", way.address.ip());
        let mut command = node.command("ip");
        let output = command.args(["address", verb, &address, "dev", "lo"]).output()?;
        ensure!(output.status.success(), "{output:?}");
        Ok(())
    };
    let by_pod = || -> Result<bool> { Ok(cluster.ask(way)?.is_ok()) };
    let by_process = || -> Result<bool> {
        let answer = cluster.pod("node-a")?.ask(way.protocol, way.address, ANSWER)?;
        Ok(answer.is_ok())
    };
    assert!(way.address.is_ipv4() && by_pod()? && by_process()?);
    held("add")?;
    wait_until(|| Ok(!by_pod()? && !by_process()?)).context("it is held")?;
    held("delete")?;
    wait_until(|| Ok(by_pod()? && by_process()?)).context("it is not held any longer")
}
