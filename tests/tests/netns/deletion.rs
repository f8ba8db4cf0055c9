//! What is left of a Service that was deleted: nothing that answers, and nothing in the tables.

use std::{fs, io};

use anyhow::{Context as _, Result};
use hostnet::Pins;
use waggle_tests::tables::Tables;
use xtask::{topology::Attachment, workload::ask};

use super::{
    cluster::{ANSWER, Cluster, DELIVERIES, Ground, wait_until},
    services::{PORT, Way, ways},
};

const NODE_PORT: u16 = 30_090;

/// Its external addresses, which a device of node-a holds.
const EXTERNAL: Attachment = Attachment {
    v4: std::net::Ipv4Addr::new(198, 51, 100, 190),
    v6: std::net::Ipv6Addr::new(0xfdc6, 0, 0, 0, 0, 0, 0, 0x190),
};

const FILE: &str = "brief.yaml";

fn service(near: Attachment) -> String {
    let slice = |family: &str, ip: String| {
        format!(
            "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
             metadata: {{name: brief-{}, namespace: default, \
             labels: {{kubernetes.io/service-name: brief}}}}\naddressType: {family}\n\
             ports: [{{name: http, port: {PORT}, protocol: TCP}}, \
             {{name: echo, port: {PORT}, protocol: UDP}}]\n\
             endpoints: [{{addresses: ['{ip}'], nodeName: node-a}}]\n",
            family.to_lowercase()
        )
    };
    let Attachment { v4, v6 } = EXTERNAL;
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: brief, namespace: default}}\n\
         spec:\n  type: NodePort\n  clusterIPs: [10.96.0.90, 'fd00:10:96::90']\n\
         \x20 externalIPs: [{v4}, '{v6}']\n\
         \x20 ports: [{{name: http, port: {NODE_PORT}, nodePort: {NODE_PORT}, protocol: TCP}}, \
         {{name: echo, port: {NODE_PORT}, nodePort: {NODE_PORT}, protocol: UDP}}]\n{}{}",
        slice("IPv4", near.v4.to_string()),
        slice("IPv6", near.v6.to_string())
    )
}

#[test]
fn a_deleted_service_is_refused_by_the_nodes_own_stack_and_leaves_nothing() -> Result<()> {
    for mode in DELIVERIES {
        let ground = Ground::new(&format!("deletion-{}", mode.delivery))?;
        let cluster = Cluster::start(&ground, mode)?;
        delete(&cluster).with_context(|| format!("{mode:?}\n{}", cluster.logs()))?;
    }
    Ok(())
}

fn delete(cluster: &Cluster<'_>) -> Result<()> {
    let Attachment { v4, v6 } = EXTERNAL;
    cluster.netns("node-a")?.ip(&[
        format!("address add {v4}/32 dev lo"),
        format!("address add {v6}/128 dev lo nodad"),
    ])?;
    // Each refusal of a datagram is one of these messages.
    for key in ["ipv4/icmp_ratelimit", "ipv6/icmp/ratelimit"] {
        cluster.netns("node-a")?.set_sysctl(key, "0")?;
    }
    let node = cluster.addresses("node-a")?;
    let at = |Attachment { v4, v6 }| ways(v4.into(), v6.into(), |_| NODE_PORT);
    let ways = [at(node), at(EXTERNAL)].concat();
    for way in &ways {
        wait_for(cluster, *way, false).context("before there is a Service")?;
    }
    let before = tables(cluster)?;
    cluster.add_objects(FILE, &service(cluster.addresses("near")?))?;
    for way in &ways {
        wait_for(cluster, *way, true).context("while there is one")?;
    }
    fs::remove_file(cluster.manifests().join(FILE))?;
    for way in &ways {
        wait_for(cluster, *way, false).context("after its deletion")?;
    }
    let mut after = None;
    let is_as_before = wait_until(|| Ok(*after.insert(tables(cluster)?) == before));
    is_as_before.with_context(|| format!("{before:#?}\nbecame\n{after:#?}"))
}

/// Waits until somebody outside is answered, or refused by the node's stack, of which the programs
/// know nothing.
fn wait_for(cluster: &Cluster<'_>, Way { protocol, address }: Way, is_served: bool) -> Result<()> {
    wait_until(|| {
        let answered = refused_by_us(cluster)?;
        let outcome = cluster.outside()?.run(|| ask(protocol, address, ANSWER))?;
        let is_refused =
            matches!(&outcome, Err(error) if error.kind() == io::ErrorKind::ConnectionRefused);
        Ok(if is_served {
            outcome.is_ok()
        } else {
            is_refused && refused_by_us(cluster)? == answered
        })
    })
    .with_context(|| format!("{protocol:?} {address}: served {is_served}"))
}

/// How often node-a's programs have refused somebody.
fn refused_by_us(cluster: &Cluster<'_>) -> Result<u64> {
    let status = cluster.status("node-a")?;
    let count = status["counters"]["answered_unreachable"].as_u64();
    count.with_context(|| format!("{status}"))
}

fn tables(cluster: &Cluster<'_>) -> Result<Tables> {
    Tables::of(&Pins::new(&cluster.node_of("node-a")?.path("/sys/fs/bpf/waggle")))
}
