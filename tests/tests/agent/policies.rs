//! Whether an agent says that nothing on its node enforces NetworkPolicies.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::host::Host;

const POLICIES: &str = "\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: shop}
spec: {podSelector: {}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: vault, namespace: bank}
spec: {podSelector: {}}
";

fn is_told(status: &Value) -> bool {
    let mut problems = status["problems"].as_array().into_iter().flatten();
    let begin = "is enforced by nothing on this node, and neither is another one";
    problems.any(|problem| {
        problem["object"] == "NetworkPolicy bank/vault"
            && problem["message"].as_str().is_some_and(|message| message.starts_with(begin))
    })
}

#[test]
fn policies_that_nobody_enforces_are_told_until_somebody_does() -> Result<()> {
    let host = Host::start()?;
    host.write("policies.yaml", POLICIES)?;
    let agent = host.agent("{}")?;
    host.wait_until(is_told).context("nobody enforces them")?;
    let status = host.waggle("status")?;
    ensure!(!status.is_success && status.stdout.contains("Status        DEGRADED"), "{status:?}");
    let table = host.run("nft", &["add", "table", "inet", "kube-network-policies"])?;
    ensure!(table.is_success, "{table:?}");
    host.wait_until(|status| !is_told(status)).context("somebody enforces them")?;
    let table = host.run("nft", &["delete", "table", "inet", "kube-network-policies"])?;
    ensure!(table.is_success, "{table:?}");
    host.wait_until(is_told).context("nobody does any more")?;
    drop(agent);
    let _agent = host.agent("networkPolicy: {enforcedBy: other}")?;
    let status = host.status()?;
    ensure!(!is_told(&status), "somebody does who is not seen: {status:#}");
    Ok(())
}
