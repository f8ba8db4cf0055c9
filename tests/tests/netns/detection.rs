//! Who counts as a pod of a node, as far as its clients' addresses show it.

use std::net::IpAddr;

use anyhow::{Context as _, Result};
use xtask::{topology::Attachment, workload::ask};

use super::{
    cluster::{ANSWER, Cluster, DELIVERIES, Ground, wait_until},
    services::{FAR, NEAR, Way},
};

/// What the configuration says, and whether a pod keeps its address towards a cluster IP.
const SETTINGS: [(&str, bool); 7] = [
    ("", true),
    ("detectLocal: nodeCIDR\n", true),
    ("detectLocal: none\n", true),
    ("detectLocal: {clusterCIDRs: [198.18.0.0/15, 'fd99::/64']}\n", false),
    ("detectLocal: {interfaceNamePrefix: nothing}\n", true),
    ("detectLocal: {bridgeInterface: nothing}\n", true),
    ("masqueradeAll: true\n", false),
];

#[test]
fn who_counts_as_a_pod_keeps_its_address_as_the_configuration_says() -> Result<()> {
    let ground = Ground::new("detection")?;
    let mut cluster = Cluster::start(&ground, DELIVERIES[0])?;
    let [pod, node] = ["client", "node-a"].map(|name| cluster.addresses(name));
    let (pod, node) = (pod?, node?);
    for (lines, is_kept) in SETTINGS {
        cluster.configure(lines)?;
        let Attachment { v4, v6 } = if is_kept { pod } else { node };
        for Way { protocol, address } in NEAR.ways().into_iter().chain(FAR.ways()) {
            let expected: IpAddr = if address.is_ipv4() { v4.into() } else { v6.into() };
            wait_until(|| {
                let answer = cluster.netns("client")?.run(|| ask(protocol, address, ANSWER))?;
                Ok(answer.is_ok_and(|answer| answer.client.ip() == expected))
            })
            .with_context(|| format!("'{lines}': {protocol:?} {address} from {expected}"))?;
        }
    }
    Ok(())
}
