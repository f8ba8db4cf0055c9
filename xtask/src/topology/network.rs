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
    Apart, Lifetime, Netns, Node, NodeAddresses, Process, Site,
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
    tool: PathBuf,
    logs: PathBuf,
}

impl Network {
    /// Makes the network with some nodes, of which there are at most 26, or with none; `tool` is a
    /// program with the hidden verbs of this crate, and `logs` a folder for what is said inside.
    pub fn start(
        prefix: &str,
        nodes: u8,
        tool: &Path,
        logs: &Path,
        lifetime: Lifetime,
    ) -> Result<Self> {
        fs::create_dir_all(logs).with_context(|| format!("making {}", logs.display()))?;
        // From here on whatever fails is undone by its drop.
        let mut made = Self {
            prefix: prefix.to_owned(),
            lifetime,
            router: None,
            nodes: Vec::new(),
            tool: tool.to_owned(),
            logs: logs.to_owned(),
        };
        made.build(nodes).inspect_err(|_| made.lifetime = Lifetime::Caller)?;
        Ok(made)
    }

    /// Adds a node on a link of its own beyond the router, and says how it is addressed there.
    pub fn add_beyond(&mut self) -> Result<NodeAddresses> {
        let number = u8::try_from(self.nodes.len())? + 1;
        let port = char::from(b'a' + number - 1);
        let addresses = beyond(number);
        let full = format!("{}-{port}", self.prefix);
        let netns = self.router()?.plug_in_beyond(&full, port, addresses)?;
        self.add(port, &full, &netns, addresses)?;
        Ok(addresses)
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

    /// Makes a node apart, which ends no later than the network.
    pub fn make_apart(&self, site: Site<'_>, addresses: NodeAddresses) -> Result<Apart> {
        let Self { prefix, lifetime, tool, logs, .. } = self;
        let Site { name, node, .. } = site;
        let full = format!("{prefix}-{name}");
        let (netns, wire) = self.router()?.plug_in_apart(&full, site)?;
        let logs = logs.join(name);
        fs::create_dir_all(&logs).with_context(|| format!("making {}", logs.display()))?;
        let (netns, cgroup, logs, lifetime) = (&netns, &*full, &*logs, *lifetime);
        let plan = Blueprint { name: node, addresses, netns, cgroup, tool, logs, lifetime };
        Ok(Apart::new(Node::start(plan)?, wire))
    }

    fn build(&mut self, nodes: u8) -> Result<()> {
        self.router = Some(Router::create(&self.prefix)?);
        for (port, number) in ('a'..='z').zip(1..=nodes) {
            let addresses = addresses(number);
            let full = format!("{}-{port}", self.prefix);
            let netns = self.router()?.plug_in(&full, port, addresses)?;
            self.add(port, &full, &netns, addresses)?;
        }
        match self.nodes.first() {
            Some(first) => self.router()?.route_virtual(first.addresses()),
            None => Ok(()),
        }
    }

    fn add(
        &mut self,
        port: char,
        full: &str,
        netns: &Netns,
        addresses: NodeAddresses,
    ) -> Result<()> {
        let Self { tool, logs, lifetime, .. } = &*self;
        let (name, cgroup, lifetime) = (&*format!("node-{port}"), full, *lifetime);
        let node = Node::start(Blueprint { name, addresses, netns, cgroup, tool, logs, lifetime })?;
        self.nodes.push(node);
        Ok(())
    }
}

/// What the node of a number is called by on a link of its own.
fn beyond(number: u8) -> NodeAddresses {
    let (v4, v6) = (77 + number, 0xfd77 + u16::from(number));
    NodeAddresses {
        v4: Ipv4Addr::new(192, 168, v4, 10 + number),
        v6: Ipv6Addr::new(v6, 0, 0, 0, 0, 0, 0, 0x10 + u16::from(number)),
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
