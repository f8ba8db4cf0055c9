//! Programs of others on the same devices.

use anyhow::{Context as _, Result};

use super::{
    cluster::{Cluster, Ground, MODES},
    services::{PORT, ways},
};

#[test]
fn a_filter_behind_ours_sees_the_packets_that_we_pass() -> Result<()> {
    for mode in MODES {
        let ground = Ground::new(&format!("alongside-{}-{}", mode.delivery, mode.attach))?;
        let cluster = Cluster::start(&ground, mode)?;
        let (node, device) = (cluster.netns_of_node("client")?, cluster.host_side("client")?);
        let tc = |arguments: &[&str]| -> Result<String> {
            let output = node.command("tc").args(arguments).output()?;
            let said = String::from_utf8([output.stdout, output.stderr].concat())?;
            anyhow::ensure!(output.status.success(), "tc {arguments:?}: {said}");
            Ok(said)
        };
        // It is there already where our own programs are filters of it.
        let _ = tc(&["qdisc", "add", "dev", &device, "clsact"]);
        // Takes every packet, copies it to where nobody wants it, and counts.
        let behind = ["prio", "40000", "bpf", "bytecode", "1,6 0 0 4294967295", "action", "mirred"];
        let copies = ["egress", "mirror", "dev", "lo"];
        tc(&[&["filter", "add", "dev", &device, "ingress"], &behind[..], &copies].concat())?;
        let near = cluster.addresses("near")?;
        for way in ways(near.v4.into(), near.v6.into(), |_| PORT) {
            cluster.ask(way)??;
        }
        let statistics = tc(&["-s", "filter", "show", "dev", &device, "ingress"])?;
        let packets = sent(&statistics).with_context(|| statistics.clone())?;
        assert!(packets >= 4, "{mode:?}: {statistics}");
    }
    Ok(())
}

/// The packets of `Sent 196 bytes 3 pkt (dropped 0, …)`.
fn sent(statistics: &str) -> Option<u64> {
    let words: Vec<&str> = statistics.split_whitespace().collect();
    let at = words.windows(2).rposition(|pair| matches!(pair, [_, "pkt"]))?;
    words.get(at)?.parse().ok()
}
