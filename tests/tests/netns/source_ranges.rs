//! Whom a load balancer's address lets in.

use std::{io, net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result};
use xtask::{
    topology::{Attachment, OUTSIDE},
    workload::{Answer, Protocol, ask},
};

use super::cluster::{ANSWER, Cluster, DELIVERIES, Ground, wait_until};

/// How long an answer is waited for that must not come.
const SILENCE: Duration = Duration::from_millis(500);

const PORT: u16 = 80;
const NODE_PORT: u16 = 30_071;
const BALANCED: [&str; 2] = ["198.51.100.71", "fdc6::71"];

/// Who asks: somebody outside, a pod of the node, the node itself.
const ASKERS: [&str; 3] = ["outside", "client", "node-a"];

/// A Service that a pod of node-a serves and that lets in these networks.
fn service(near: Attachment, ranges: &[String]) -> String {
    let [v4, v6] = BALANCED;
    let ranges: Vec<_> = ranges.iter().map(|range| format!("'{range}'")).collect();
    let slice = |family: &str, ip: String| {
        format!(
            "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
             metadata: {{name: ranged-{}, namespace: default, \
             labels: {{kubernetes.io/service-name: ranged}}}}\naddressType: {family}\n\
             ports: [{{name: http, port: 8080}}]\n\
             endpoints: [{{addresses: ['{ip}'], nodeName: node-a}}]\n",
            family.to_lowercase()
        )
    };
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: ranged, namespace: default}}\n\
         spec:\n  type: LoadBalancer\n  clusterIPs: [10.96.0.71, 'fd00:10:96::71']\n\
         \x20 loadBalancerSourceRanges: [{}]\n\
         \x20 ports: [{{name: http, port: {PORT}, nodePort: {NODE_PORT}}}]\n\
         status: {{loadBalancer: {{ingress: [{{ip: {v4}}}, {{ip: '{v6}'}}]}}}}\n{}{}",
        ranges.join(", "),
        slice("IPv4", near.v4.to_string()),
        slice("IPv6", near.v6.to_string())
    )
}

fn asked(
    cluster: &Cluster<'_>,
    asker: &str,
    address: SocketAddr,
    patience: Duration,
) -> Result<io::Result<Answer>> {
    match asker {
        "outside" => cluster.outside()?.run(|| ask(Protocol::Tcp, address, patience)),
        // A process of the node's own cgroup.
        "node-a" => cluster.pod("node-a")?.ask(Protocol::Tcp, address, patience),
        pod => cluster.netns(pod)?.run(|| ask(Protocol::Tcp, address, patience)),
    }
}

/// A process of its own tells of its error in words alone.
fn is_silence<T>(outcome: &io::Result<T>) -> bool {
    let silent = [io::ErrorKind::TimedOut, io::ErrorKind::WouldBlock];
    let is_silent = |error: &io::Error| {
        silent.contains(&error.kind()) || error.to_string().contains("timed out")
    };
    outcome.as_ref().is_err_and(is_silent)
}

#[test]
fn a_load_balancers_address_serves_its_source_ranges_and_drops_everybody_else() -> Result<()> {
    for mode in DELIVERIES {
        let ground = Ground::new(&format!("source-ranges-{}", mode.delivery))?;
        let cluster = Cluster::start(&ground, mode)?;
        let [near, client, node] = ["near", "client", "node-a"].map(|name| cluster.addresses(name));
        let (near, members) = (near?, [OUTSIDE, client?, node?]);
        for let_in in 0..ASKERS.len() {
            let Attachment { v4, v6 } = members[let_in];
            cluster.add_objects(
                "ranged.yaml",
                &service(near, &[v4.to_string() + "/32", v6.to_string() + "/128"]),
            )?;
            for ip in BALANCED {
                let address = SocketAddr::new(ip.parse()?, PORT);
                let who = ASKERS[let_in];
                wait_until(|| Ok(asked(&cluster, who, address, ANSWER)?.is_ok()))
                    .with_context(|| format!("{mode:?}: {who} to {address}\n{}", cluster.logs()))?;
                for other in ASKERS.into_iter().filter(|other| *other != who) {
                    let outcome = asked(&cluster, other, address, SILENCE)?;
                    assert!(is_silence(&outcome), "{mode:?}: {other} to {address}: {outcome:?}");
                }
            }
        }
        let node_port = SocketAddr::new(cluster.addresses("node-a")?.v4.into(), NODE_PORT);
        asked(&cluster, "outside", node_port, ANSWER)?.context("ranges are of no NodePort")?;
    }
    Ok(())
}
