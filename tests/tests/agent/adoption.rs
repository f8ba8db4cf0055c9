//! Whether an agent sees that another proxy's rules are on its node.

use anyhow::{Context as _, Result, ensure};
use aya::maps::{Array, Map, MapData};
use dataplane_common::abi::{Node, NodeFlags, names};
use serde_json::json;

use super::host::Host;

/// The flags of the table `node`.
fn flags(host: &Host) -> Result<NodeFlags> {
    let path = host.pinned(&format!("maps/{}", names::NODE));
    host.inside(|| {
        let node: Array<_, Node> = Array::try_from(Map::Array(MapData::from_pin(path)?))?;
        Ok(node.get(&0, 0)?.flags)
    })
}

fn run(host: &Host, program: &str, line: &str) -> Result<()> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let answer = host.run(program, &words)?;
    ensure!(answer.is_success, "{program} {line}: {answer:?}");
    Ok(())
}

/// Waits until the window is open for these reasons, or closed where there are none.
fn wait_for(host: &Host, because: &[&str]) -> Result<()> {
    let expected = json!({"open": !because.is_empty(), "because": because});
    let reason = || format!("{because:?}");
    host.wait_until(|status| status["adoption"] == expected).with_context(reason)?;
    let is_told = || Ok(flags(host)?.has(NodeFlags::ADOPTING) != because.is_empty());
    host.wait_for(is_told).with_context(reason)
}

#[test]
fn the_window_is_open_while_another_proxys_rules_are_on_the_node() -> Result<()> {
    const TABLE: &str = "nft table ip6 kube-proxy";
    const CHAIN: &str = "chain KUBE-SERVICES of nft table ip nat";
    let host = Host::start()?;
    run(&host, "nft", "add table ip6 kube-proxy")?;
    let agent = host.agent("{}")?;
    wait_for(&host, &[TABLE])?;
    run(&host, "nft", "add table ip nat")?;
    run(&host, "nft", "add chain ip nat KUBE-SERVICES")?;
    wait_for(&host, &[TABLE, CHAIN])?;
    run(&host, "nft", "delete table ip6 kube-proxy")?;
    wait_for(&host, &[CHAIN])?;
    run(&host, "nft", "delete table ip nat")?;
    wait_for(&host, &[])?;
    let lines = host.waggle("status")?.stdout;
    ensure!(lines.contains("Adoption      closed\n"), "{lines}");
    // What others call theirs is nobody's that we know.
    run(&host, "nft", "add table inet kube-proxy")?;
    run(&host, "nft", "add table ip waggle-drain")?;
    wait_for(&host, &["nft table ip waggle-drain"])?;
    drop(agent);
    run(&host, "nft", "delete table ip waggle-drain")?;
    let _agent = host.agent("{}")?;
    wait_for(&host, &[])
}

#[test]
fn rules_of_the_older_iptables_are_seen_too() -> Result<()> {
    const CHAIN: &str = "chain KUBE-SERVICES of iptables-legacy, ip nat";
    let host = Host::start()?;
    run(&host, "iptables-legacy", "--table nat --new-chain KUBE-SERVICES")?;
    let _agent = host.agent("{}")?;
    wait_for(&host, &[CHAIN])?;
    run(&host, "iptables-legacy", "--table nat --delete-chain KUBE-SERVICES")?;
    wait_for(&host, &[])
}
