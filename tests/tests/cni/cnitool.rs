//! cnitool drives every verb, as a runtime by the library that containerd and CRI-O use.

use std::fs;

use anyhow::{Context as _, Result};

use super::{
    host::{Host, Pod, ips},
    tool::Tool,
};

const BOTH: [&str; 2] = ["10.1.1.0/24", "fd01:1::/64"];

/// A pod as cnitool names it: by a hash of its namespace's path, which the lease tells.
fn container(host: &Host) -> Result<String> {
    let text = fs::read_to_string(host.table())?;
    let mut names =
        text.lines().filter_map(|line| line.strip_prefix("lease\t")?.split('\t').next());
    let name = names.find(|name| name.starts_with("cnitool-"));
    Ok(name.context("no lease of cnitool's")?.to_owned())
}

#[test]
fn cnitool_adds_checks_and_deletes_a_pod() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    for version in ["0.4.0", "1.0.0", "1.1.0"] {
        let host = &host;
        let (tool, pod) = (Tool::new(host, version, &[host.config(version)])?, Pod::new("pod")?);
        let first = tool.add(&pod)?;
        assert_eq!(first["cniVersion"], version);
        tool.run("check", &pod)?;
        for ip in ips(&first) {
            host.reaches(&pod, ip)?;
        }
        assert_eq!(tool.run("del", &pod)?, None);
        let nobody = host.whole()?;

        let result = tool.add(&pod)?;
        let expected = nobody.clone().with(host, &container(host)?, &result)?;
        assert_eq!(host.whole()?, expected, "{version}");
        tool.forget()?;
        assert_eq!(tool.run("del", &pod)?, None, "without a previous result");
        assert_eq!(tool.run("del", &pod)?, None, "what is gone");
        assert_eq!(host.whole()?, nobody, "{version}");
    }
    Ok(())
}

#[test]
fn the_status_that_cnitool_asks_for_is_that_of_the_node() -> Result<()> {
    let host = Host::bare()?;
    fs::create_dir_all(host.run_dir())?;
    let (tool, pod) = (Tool::new(&host, "1.1.0", &[host.config("1.1.0")])?, Pod::new("pod")?);
    let refusal = tool.run("status", &pod).expect_err("a node without an agent").to_string();
    assert!(refusal.contains("node.json is not there: start the agent"), "{refusal}");
    host.write_node_file(&BOTH, "auto")?;
    host.load()?;
    assert_eq!(tool.run("status", &pod)?, None);
    Ok(())
}

/// cnitool sends GC no list, and before that DEL for each pod that it remembers.
#[test]
fn no_living_pod_loses_anything_by_the_gc_of_cnitool() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let tool = Tool::new(&host, "1.1.0", &[host.config("1.1.0")])?;
    let (other, forgotten) = (Pod::new("other")?, Pod::new("forgotten")?);
    host.add(&other)?;
    let alone = host.whole()?;
    let result = tool.add(&forgotten)?;
    let both = host.whole()?;

    tool.forget()?;
    assert_eq!(tool.run("gc", &other)?, None);
    assert_eq!(host.whole()?, both);
    for ip in ips(&result) {
        host.reaches(&forgotten, ip)?;
    }

    let remembered = tool.add(&forgotten)?;
    assert_eq!(remembered, result);
    assert_eq!(tool.run("gc", &other)?, None);
    assert_eq!(host.whole()?, alone, "the tool deletes what it remembers, and nothing else goes");
    Ok(())
}

#[test]
fn the_gc_of_cnitool_collects_a_pod_that_died_without_del() -> Result<()> {
    let host = Host::ready(&BOTH)?;
    let tool = Tool::new(&host, "1.1.0", &[host.config("1.1.0")])?;
    let (living, dead) = (Pod::new("living")?, Pod::new("dead")?);
    host.add(&living)?;
    let alone = host.whole()?;
    host.add(&dead)?;
    drop(dead);
    host.wait_for_links(1)?;
    assert_ne!(host.whole()?, alone);
    assert_eq!(tool.run("gc", &living)?, None);
    assert_eq!(host.whole()?, alone);
    Ok(())
}
