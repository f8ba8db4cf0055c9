//! What may not grow while pods come and go.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use rustix::fs::statvfs;
use serde_json::Value;
use xtask::{cluster::Agent, topology::Node};

use super::{PLUGINS, worker::Worker};
use crate::{
    bench::{resident, summary::Row},
    interrupt::Interrupt,
    workspace::Artifacts,
};

/// How often is looked, at the end of equal parts.
const LOOKS: usize = 10;

/// What there is at one moment.
#[derive(Clone, Copy, Debug)]
struct Look {
    agent_mebibytes: f64,
    plugin_mebibytes: f64,
    store_kibibytes: f64,
    /// Files of the node's /run.
    inodes: f64,
    /// Files below the BPF file system's folder of ours.
    pins: f64,
    /// Entries of the maps that the plugin writes or causes to be written.
    entries: f64,
}

/// Connects and disconnects so many pods.
pub(super) fn measure(
    count: usize,
    node: &Node,
    agent: &Agent<'_>,
    worker: &mut Worker,
    artifacts: &Artifacts,
    interrupt: &Interrupt,
) -> Result<Vec<Row>> {
    let mut looks = Vec::new();
    for _ in 0..LOOKS {
        interrupt.check()?;
        let kibibytes = worker.ask(&format!("cycles {}", count / LOOKS))?;
        let plugin = kibibytes.first().copied().unwrap_or_default();
        looks.push(look(node, agent, artifacts, number(plugin) / 1024.0)?);
    }
    Ok(rows(&looks))
}

fn look(node: &Node, agent: &Agent<'_>, artifacts: &Artifacts, plugin: f64) -> Result<Look> {
    let run = statvfs(node.path("/run")).context("the node's /run")?;
    let table = node.path("/run/waggle/ipam/waggle.table");
    let store = fs::metadata(&table).with_context(|| table.display().to_string())?.len();
    Ok(Look {
        agent_mebibytes: resident(agent.pid())? / 1024.0,
        plugin_mebibytes: plugin,
        store_kibibytes: number(store) / 1024.0,
        inodes: number(run.f_files - run.f_ffree),
        pins: number(files(&node.path("/sys/fs/bpf/waggle"))?),
        entries: entries(node, artifacts)?,
    })
}

fn rows(looks: &[Look]) -> Vec<Row> {
    type Of = fn(&Look) -> f64;
    let figures: [(&str, &str, Of); 6] = [
        ("cni_cycles_agent_memory", "MiB", |look| look.agent_mebibytes),
        ("cni_cycles_plugin_memory", "MiB", |look| look.plugin_mebibytes),
        ("cni_cycles_store", "KiB", |look| look.store_kibibytes),
        ("cni_cycles_inodes", "files", |look| look.inodes),
        ("cni_cycles_pins", "files", |look| look.pins),
        ("cni_cycles_map_entries", "entries", |look| look.entries),
    ];
    let row = |(name, unit, of): (_, _, Of)| {
        Row::of_values([name, PLUGINS[0], unit], looks.iter().map(of).collect())
    };
    figures.into_iter().map(row).collect()
}

fn files(folder: &Path) -> Result<u64> {
    let mut count = 0;
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        count += if entry.file_type()?.is_dir() { files(&entry.path())? } else { 1 };
    }
    Ok(count)
}

fn entries(node: &Node, artifacts: &Artifacts) -> Result<f64> {
    let output = node.command(&artifacts.waggle)?.args(["status", "-o", "json"]).output()?;
    let status: Value = serde_json::from_slice(&output.stdout).context("`waggle status`")?;
    let maps = status["maps"].as_array().cloned().unwrap_or_default();
    let ours = maps.iter().filter(|map| map["name"] == "pods" || map["name"] == "links");
    Ok(number(ours.filter_map(|map| map["used"].as_u64()).sum()))
}

/// Exact up to 2^32, which none of these reaches.
fn number(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
