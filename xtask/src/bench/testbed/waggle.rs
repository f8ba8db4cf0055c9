//! Pods wired by the CNI plugin on a node with the agent.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use xtask::{
    cluster::{Agent, CNI_CONFIG, Manifests},
    topology::{Node, Runtime},
};

use super::{
    SERVICES,
    pods::{self, Pods},
};
use crate::{
    bench::{catalog::Catalog, objects, variant::Variant},
    workspace::Artifacts,
};

/// Longest wait until Services are programmed, by an agent that is not optimised on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts the agents, wires a pod on the first node and one on the last, and writes the Services.
pub(super) fn start<'a>(
    variant: Variant,
    nodes: &'a [Node],
    artifacts: &Artifacts,
    folder: &Path,
) -> Result<(Pods, Vec<Agent<'a>>)> {
    let manifests = Manifests::create(&folder_of_objects(folder)?, "")?;
    let config = folder.join("config.yaml");
    fs::write(&config, settings(variant))?;
    let start =
        |node| Agent::start(node, &artifacts.waggle, manifests.folder(), Some(config.as_path()));
    let agents = nodes.iter().map(start).collect::<Result<Vec<_>>>()?;
    let runtime = Runtime::new(&artifacts.waggle_cni, CNI_CONFIG);
    let (first, last) = nodes.first().zip(nodes.last()).context("a way without nodes")?;
    let [client, backend] = [first.make_pod(pods::CLIENT)?, last.make_pod(pods::BACKEND)?];
    let (client_address, backend_address) = (runtime.add(&client)?.v4, runtime.add(&backend)?.v4);
    write_objects(manifests.folder(), &Catalog::new(SERVICES, backend_address))?;
    let (client, backend) = (client.netns().clone(), backend.netns().clone());
    Ok((Pods { client, client_address, backend, backend_address }, agents))
}

fn settings(variant: Variant) -> &'static str {
    match variant {
        Variant::Stack => "delivery: stack\n",
        Variant::Vxlan => "mode: vxlan\n",
        _ => "delivery: bypass\n",
    }
}

/// Waits until all Services are programmed.
pub(super) fn wait(node: &Node, artifacts: &Artifacts, agent: &Agent<'_>) -> Result<()> {
    let start = Instant::now();
    while !ready(node, artifacts, SERVICES)? {
        if start.elapsed() > PATIENCE {
            bail!("Services are not programmed after {PATIENCE:?}\n{}", agent.log_tail());
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn folder_of_objects(folder: &Path) -> Result<std::path::PathBuf> {
    let made = folder.join("manifests");
    fs::create_dir(&made).with_context(|| format!("making {}", made.display()))?;
    Ok(made)
}

/// Puts the Services where the agent looks, all at once.
pub(in crate::bench) fn write_objects(folder: &Path, catalog: &Catalog) -> Result<()> {
    let (draft, file) = (folder.join(".services.draft"), folder.join("services.yaml"));
    fs::write(&draft, objects::yaml(catalog))
        .and_then(|()| fs::rename(&draft, &file))
        .with_context(|| format!("writing {}", file.display()))
}

/// Whether the agent has programmed so many Services, of one port each.
fn ready(node: &Node, artifacts: &Artifacts, services: usize) -> Result<bool> {
    let status = status(node, artifacts)?;
    Ok(status["agent"]["servicePorts"].as_u64() == u64::try_from(services).ok())
}

/// The answer of `waggle status`.
pub(super) fn status(node: &Node, artifacts: &Artifacts) -> Result<Value> {
    // Its status is about the node's health, which is not asked here.
    let output = node.command(&artifacts.waggle)?.args(["status", "-o", "json"]).output()?;
    serde_json::from_slice(&output.stdout).with_context(|| {
        format!("`waggle status -o json` says {}", String::from_utf8_lossy(&output.stderr))
    })
}
