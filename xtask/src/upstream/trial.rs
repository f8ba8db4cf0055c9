//! The programs at work: a control plane, and kube-proxy on a node that follows it.

use std::{
    fs,
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixListener},
    },
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use xtask::{
    cluster::{ControlPlane, KubeProxy},
    topology::{Lifetime, Network, Node, sweep},
};

use crate::{
    progress::say,
    setup::{self, Scope},
    workspace,
};

/// Begins the name of everything a trial makes on the machine.
const PREFIX: &str = "waggle-upstream";

/// The Service that every API server makes for itself.
const KUBERNETES: &str = "10.96.0.1";

/// Before anything is built: nobody should wait for minutes to be told to become root.
pub(super) fn check_privilege() -> Result<()> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    bail!(
        "a trial makes network namespaces, which takes root: run \
         `sudo -E env PATH=$PATH cargo xtask upstream --trial`"
    )
}

/// Starts them, says how long each took, and ends them.
pub(super) fn run(programs: &Path) -> Result<()> {
    setup::ensure_packages(Scope::Fetch)?;
    setup::ensure_packages(Scope::Run)?;
    let name = SocketAddr::from_abstract_name(PREFIX)?;
    let _lock = UnixListener::bind_addr(&name).context("another trial is running: wait for it")?;
    sweep(PREFIX).context("removing what an earlier trial left")?;
    let (folder, logs) = fresh_folders()?;
    let tool = std::env::current_exe().context("finding this program")?;
    let network = Network::start(PREFIX, 1, &tool, &logs, Lifetime::Caller)?;
    let started = Instant::now();
    let plane = ControlPlane::start(&network, programs, &folder)?;
    say(&format!("API server: ready in {:.1} s", started.elapsed().as_secs_f64()));
    let (node, started) = (network.a(), Instant::now());
    plane.create("api/v1/nodes", &object(node))?;
    let _proxy = KubeProxy::start(node, &plane, programs, &folder, &json!({}))?;
    check_rules(node)?;
    say(&format!("kube-proxy: its rules are in place in {:.1} s", started.elapsed().as_secs_f64()));
    Ok(())
}

/// One that goes with the control plane, and one of logs, which stays.
fn fresh_folders() -> Result<(PathBuf, PathBuf)> {
    let trial = workspace::target().join("upstream-trial");
    drop(fs::remove_dir_all(&trial));
    let (folder, logs) = (trial.join("control"), trial.join("logs"));
    fs::create_dir_all(&logs).with_context(|| format!("making {}", logs.display()))?;
    Ok((folder, logs))
}

fn object(node: &Node) -> Value {
    let addresses = node.addresses();
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": node.name()},
        "spec": {"podCIDRs": ["10.244.1.0/24", "fd00:10:244:1::/64"], "podCIDR": "10.244.1.0/24"},
        "status": {"addresses": [
            {"type": "InternalIP", "address": addresses.v4},
            {"type": "InternalIP", "address": addresses.v6},
        ]},
    })
}

fn check_rules(node: &Node) -> Result<()> {
    let nft = node.command("nft")?.args(["list", "table", "ip", "kube-proxy"]).output()?;
    let rules = String::from_utf8_lossy(&nft.stdout);
    ensure!(
        rules.contains(KUBERNETES),
        "kube-proxy calls itself in sync without rules for {KUBERNETES}: {rules}{}",
        String::from_utf8_lossy(&nft.stderr)
    );
    Ok(())
}
