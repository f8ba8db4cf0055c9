//! Pods that go without a DEL: the agent alone gives their addresses back.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use xtask::topology::Node;

use super::{
    cluster::{Ground, plugin, waggle, wait_until},
    land::{Land, as_they_are, said},
};

/// The leases of a node: one line each.
fn leases(node: &Node) -> Result<Vec<String>> {
    let table = node.path("/run/waggle/ipam/waggle.table");
    let text = fs::read_to_string(&table).with_context(|| table.display().to_string())?;
    let leases = text.lines().filter(|line| line.starts_with("lease\t"));
    Ok(leases.map(str::to_owned).collect())
}

/// What is wrong on a node with its plugin, by severity.
fn told(node: &Node) -> Result<Vec<String>> {
    let mut command = node.command(waggle()?)?;
    let output = command.args(["status", "--output", "json"]).output()?;
    let status: Value = serde_json::from_slice(&output.stdout)?;
    let problems = status["problems"].as_array().cloned().unwrap_or_default();
    let text = |problem: &Value, key: &str| problem[key].as_str().unwrap_or_default().to_owned();
    let of_plugin = problems.iter().filter(|it| text(it, "object").starts_with("CNI plugin "));
    Ok(of_plugin.map(|it| format!("{} {}", text(it, "severity"), text(it, "message"))).collect())
}

#[test]
fn addresses_of_a_pod_that_went_without_del_are_free_again_by_the_agent_alone() -> Result<()> {
    let ground = Ground::with_nodes("reclaim", 1, 0)?;
    let plugin = plugin()?.display().to_string();
    let settings = |path: &str| format!("syncPeriod: 1s\ncniPlugin: {path}\n");
    let mut land = Land::start(&ground, &settings("/nowhere/waggle-cni"), &as_they_are(&ground))?;
    let node = ground.network.a();
    wait_until(|| Ok(told(node)?.iter().any(|it| it.starts_with("note is not there: "))))
        .with_context(|| land.logs())?;

    land.configure(&settings(&plugin))?;
    wait_until(|| Ok(told(node)?.is_empty())).with_context(|| land.logs())?;
    ensure!(leases(node)?.len() == 1, "a pod that lives keeps its lease: {:?}", leases(node)?);

    // With its server its last process ends, and with its name its namespace.
    let pod = land.members.pop().context("no pod")?.pod;
    let gone = node.command("ip")?.args(["netns", "delete", pod.name()]).status()?;
    ensure!(gone.success(), "the namespace is not deleted");
    wait_until(|| Ok(leases(node)?.is_empty())).with_context(|| land.logs())?;
    let links = said(node.netns(), "ip", &["-brief", "link"])?;
    ensure!(!links.contains("wag") && told(node)?.is_empty(), "{links}");
    Ok(())
}
