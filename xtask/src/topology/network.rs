//! The network as a whole: made, found again by name, and removed.

use std::{
    ffi::OsStr,
    fs,
    net::{Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, anyhow};

use super::{
    Lifetime, Netns, Node, NodeAddresses, Process,
    cgroup::Cgroup,
    netns::{NAMES, run},
    node::Blueprint,
    process::join,
    router::Router,
};

/// Nodes, the bridge between them, and a client outside.
#[derive(Debug)]
pub struct Network {
    prefix: String,
    lifetime: Lifetime,
    router: Option<Router>,
    nodes: Vec<Node>,
    logs: PathBuf,
}

impl Network {
    /// Makes the network with some nodes, of which there are at most 26; `tool` is a program with
    /// the hidden verbs of this crate, and `logs` a folder for what is said inside.
    pub fn start(
        prefix: &str,
        nodes: u8,
        tool: &Path,
        logs: &Path,
        lifetime: Lifetime,
    ) -> Result<Self> {
        fs::create_dir_all(logs).with_context(|| format!("making {}", logs.display()))?;
        // From here on whatever fails is undone by its drop.
        let (prefix, logs_kept) = (prefix.to_owned(), logs.to_owned());
        let mut made = Self { prefix, lifetime, router: None, nodes: Vec::new(), logs: logs_kept };
        made.build(nodes, tool, logs).inspect_err(|_| made.lifetime = Lifetime::Caller)?;
        Ok(made)
    }

    /// All nodes, `node-a` first.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
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

    /// The third node.
    #[must_use]
    pub fn c(&self) -> &Node {
        &self.nodes[2]
    }

    /// Where the client outside is.
    pub fn outside(&self) -> Result<&Netns> {
        Ok(self.router()?.outside())
    }

    /// Where the bridge is, and the device `wan` towards the client outside.
    pub fn wire(&self) -> Result<&Netns> {
        Ok(self.router()?.wire())
    }

    /// Starts a long-lived program beside the bridge, where every node reaches it at
    /// [`super::INSIDE`]; it logs to `<name>.log` and ends with the network.
    pub fn start_beside(
        &self,
        program: &Path,
        arguments: &[impl AsRef<OsStr>],
        name: &str,
    ) -> Result<Process> {
        let log = self.logs.join(format!("{name}.log"));
        let file = fs::File::options().create(true).append(true).open(&log);
        let file = file.with_context(|| format!("opening the log {}", log.display()))?;
        let cgroup = Cgroup::create(&format!("{}-{name}", self.prefix))?;
        let mut command = self.wire()?.command("unshare");
        command.args(["--pid", "--fork", "--kill-child", "--"]).arg(program).args(arguments);
        command.stdout(file);
        join(&mut command, &cgroup, self.lifetime)?;
        Process::start(command, self.lifetime, &log).with_context(|| format!("starting {name}"))
    }

    fn router(&self) -> Result<&Router> {
        self.router.as_ref().ok_or_else(|| anyhow!("the network {} has no bridge", self.prefix))
    }

    fn build(&mut self, nodes: u8, tool: &Path, logs: &Path) -> Result<()> {
        self.router = Some(Router::create(&self.prefix)?);
        for (port, number) in ('a'..='z').zip(1..=nodes) {
            let addresses = addresses(number);
            let full = format!("{}-{port}", self.prefix);
            let netns = self.router()?.plug_in(&full, port, addresses)?;
            self.nodes.push(Node::start(Blueprint {
                name: &format!("node-{port}"),
                addresses,
                netns: &netns,
                cgroup: &full,
                tool,
                logs,
                lifetime: self.lifetime,
            })?);
        }
        let first = self.nodes.first().context("a network has one node at least")?;
        self.router()?.route_virtual(first.addresses())
    }
}

/// What the node of a number is called by on the bridge.
fn addresses(number: u8) -> NodeAddresses {
    NodeAddresses {
        v4: Ipv4Addr::new(192, 168, 77, 10 + number),
        v6: Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 0x10 + u16::from(number)),
    }
}

impl Drop for Network {
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
