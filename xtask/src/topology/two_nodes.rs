//! The network as a whole: made, found again by name, and removed.

use std::{
    fs,
    net::{Ipv4Addr, Ipv6Addr},
    path::Path,
    process::Command,
};

use anyhow::{Context as _, Result, anyhow};

use super::{
    Lifetime, Netns, Node, NodeAddresses,
    cgroup::Cgroup,
    netns::{NAMES, run},
    node::Blueprint,
};

/// Name, suffix of the namespace, addresses.
const NODES: [(&str, &str, NodeAddresses); 2] = [
    (
        "node-a",
        "a",
        NodeAddresses {
            v4: Ipv4Addr::new(192, 168, 77, 11),
            v6: Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 0x11),
            pod_cidrs: ["10.244.1.0/24", "fd00:10:244:1::/64"],
        },
    ),
    (
        "node-b",
        "b",
        NodeAddresses {
            v4: Ipv4Addr::new(192, 168, 77, 12),
            v6: Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 0x12),
            pod_cidrs: ["10.244.2.0/24", "fd00:10:244:2::/64"],
        },
    ),
];

/// Two nodes and the bridge between them.
#[derive(Debug)]
pub struct TwoNodes {
    prefix: String,
    lifetime: Lifetime,
    nodes: Vec<Node>,
}

impl TwoNodes {
    /// Makes the network; `tool` is a program with the hidden verbs of this crate, and `logs` a
    /// folder for what is said inside.
    pub fn start(prefix: &str, tool: &Path, logs: &Path, lifetime: Lifetime) -> Result<Self> {
        fs::create_dir_all(logs).with_context(|| format!("making {}", logs.display()))?;
        // From here on whatever fails is undone by its drop.
        let mut made = Self { prefix: prefix.to_owned(), lifetime, nodes: Vec::new() };
        made.build(tool, logs).inspect_err(|_| made.lifetime = Lifetime::Caller)?;
        Ok(made)
    }

    /// The first node.
    #[must_use]
    pub fn a(&self) -> &Node {
        &self.nodes[0]
    }

    /// The second node.
    #[must_use]
    pub fn b(&self) -> &Node {
        &self.nodes[1]
    }

    fn build(&mut self, tool: &Path, logs: &Path) -> Result<()> {
        let wire = Netns::create(&format!("{}-net", self.prefix))?;
        wire.ip(&["link add br0 type bridge", "link set br0 up"])?;
        for (name, suffix, addresses) in NODES {
            let full = format!("{}-{suffix}", self.prefix);
            let netns = plug_in(&wire, &full, addresses)?;
            self.nodes.push(Node::start(Blueprint {
                name,
                addresses,
                netns: &netns,
                cgroup: &full,
                tool,
                logs,
                lifetime: self.lifetime,
            })?);
        }
        Ok(())
    }
}

impl Drop for TwoNodes {
    fn drop(&mut self) {
        match self.lifetime {
            Lifetime::Caller => {
                // The first processes' launchers are children to be waited for.
                self.nodes.clear();
                // A drop cannot fail, and the next sweep finds what is left.
                let _ = sweep(&self.prefix);
            }
            Lifetime::Kept => {}
        }
    }
}

/// Makes the network namespace of a node and its uplink to the bridge.
fn plug_in(wire: &Netns, name: &str, addresses: NodeAddresses) -> Result<Netns> {
    let netns = Netns::create(name)?;
    // Duplicate addresses cannot be; detection would make the first second deaf.
    for scope in ["all", "default"] {
        netns.set_sysctl(&format!("ipv6/conf/{scope}/accept_dad"), "0")?;
    }
    let port = name.rsplit('-').next().ok_or_else(|| anyhow!("{name} has no suffix"))?;
    wire.ip(&[
        format!("link add port-{port} type veth peer name eth0 netns {name}"),
        format!("link set port-{port} master br0 up"),
    ])?;
    netns.ip(&[
        format!("address add {}/24 dev eth0", addresses.v4),
        format!("address add {}/64 dev eth0 nodad", addresses.v6),
        "link set eth0 up".to_owned(),
    ])?;
    for (key, value) in [("eth0/rp_filter", "1"), ("eth0/accept_local", "0")] {
        netns.set_sysctl(&format!("ipv4/conf/{key}"), value)?;
    }
    Ok(netns)
}

/// Removes every network of that prefix, whoever left it: processes, cgroups, namespaces. Says how
/// many things there were.
pub fn sweep(prefix: &str) -> Result<usize> {
    let prefix = format!("{prefix}-");
    let cgroups = Cgroup::with_prefix(&prefix)?;
    for cgroup in &cgroups {
        cgroup.remove()?;
    }
    let Ok(names) = fs::read_dir(NAMES) else {
        return Ok(cgroups.len());
    };
    let mut removed = cgroups.len();
    for entry in names {
        let name = entry?.file_name();
        if name.to_string_lossy().starts_with(&prefix) {
            run(Command::new("ip").args(["netns", "delete"]).arg(&name))?;
            removed += 1;
        }
    }
    Ok(removed)
}
