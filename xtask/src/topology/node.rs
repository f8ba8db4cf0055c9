//! A node: namespaces that its first process holds.

use std::{
    ffi::OsStr,
    fs,
    net::{Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};

use super::{
    Lifetime, Netns, Pod, Process, cgroup::Cgroup, init::NODE_INIT, netns::run, process::join,
};

/// Addresses of a node on its uplink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeAddresses {
    /// The one of IPv4.
    pub v4: Ipv4Addr,
    /// The one of IPv6.
    pub v6: Ipv6Addr,
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    name: String,
    addresses: NodeAddresses,
    netns: Netns,
    cgroup: Cgroup,
    first: Process,
    tool: PathBuf,
    logs: PathBuf,
    lifetime: Lifetime,
}

/// What a node is made from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blueprint<'a> {
    pub(super) name: &'a str,
    pub(super) addresses: NodeAddresses,
    pub(super) netns: &'a Netns,
    /// Name of its cgroup.
    pub(super) cgroup: &'a str,
    pub(super) tool: &'a Path,
    pub(super) logs: &'a Path,
    pub(super) lifetime: Lifetime,
}

impl Node {
    /// Starts the first process in a network namespace that is wired already.
    pub(super) fn start(blueprint: Blueprint<'_>) -> Result<Self> {
        let Blueprint { name, addresses, netns, cgroup, tool, logs, lifetime } = blueprint;
        let cgroup = Cgroup::create(cgroup)?;
        let mut command = netns.command("unshare");
        command
            .args(["--mount", "--pid", "--cgroup", "--uts", "--fork", "--kill-child"])
            .args(["--mount-proc", "--"])
            .arg(tool)
            .args([NODE_INIT, name])
            .stdout(Stdio::piped());
        let log = logs.join(format!("{name}.init.log"));
        join(&mut command, &cgroup, lifetime)?;
        let mut first = Process::start(command, lifetime, &log)?;
        first.wait_ready().with_context(|| format!("starting {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            addresses,
            netns: netns.clone(),
            cgroup,
            first,
            tool: tool.to_owned(),
            logs: logs.to_owned(),
            lifetime,
        })
    }

    /// Its name in the cluster.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its addresses.
    #[must_use]
    pub fn addresses(&self) -> NodeAddresses {
        self.addresses
    }

    /// Its network namespace.
    #[must_use]
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// The number of its first process, to look around by `nsenter --target N --all`.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.first.pid()
    }

    /// A file of the node, as it is found from outside.
    #[must_use]
    pub fn path(&self, inside: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{inside}", self.pid()))
    }

    /// A short-lived command inside the node.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Result<Command> {
        self.command_in(&self.netns, program)
    }

    /// Starts a long-lived program inside the node; it logs to `<node>.<log>.log`.
    pub fn start_program(
        &self,
        program: &Path,
        arguments: &[impl AsRef<OsStr>],
        log: &str,
    ) -> Result<Process> {
        let mut command = self.command(program)?;
        let log = self.logs.join(format!("{}.{log}.log", self.name));
        let file = fs::File::options().create(true).append(true).open(&log)?;
        command.args(arguments).stdout(file);
        Process::start(command, self.lifetime, &log)
    }

    /// Starts our own workload in a network namespace of the node, and waits until it listens.
    pub(super) fn start_workload(
        &self,
        netns: &Netns,
        name: &str,
        arguments: &[&str],
    ) -> Result<Process> {
        let mut command = self.workload(netns)?;
        command.args(arguments).stdout(Stdio::piped());
        let log = self.logs.join(format!("{}.{name}.log", self.name));
        let mut process = Process::start(command, self.lifetime, &log)?;
        process.wait_ready().with_context(|| format!("starting the workload of {name}"))?;
        Ok(process)
    }

    /// Our own workload in a network namespace of the node, yet without its verb.
    pub(super) fn workload(&self, netns: &Netns) -> Result<Command> {
        self.command_in(netns, &self.tool)
    }

    /// A network namespace of a pod, known under that name inside the node only.
    pub fn make_pod(&self, name: &str) -> Result<Pod<'_>> {
        run(self.command("ip")?.args(["netns", "add", name]))?;
        let netns = Netns::at(self.path(&format!("/run/netns/{name}")));
        netns.ip(&["link set lo up"])?;
        Ok(Pod::new(self, name, netns))
    }

    /// The node itself as a place to run workload in.
    #[must_use]
    pub fn as_pod(&self) -> Pod<'_> {
        Pod::new(self, &self.name, self.netns.clone())
    }

    fn command_in(&self, netns: &Netns, program: impl AsRef<OsStr>) -> Result<Command> {
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &self.pid().to_string()])
            .args(["--mount", "--pid", "--cgroup", "--uts"])
            .arg(format!("--net={}", netns.path().display()))
            .arg("--")
            .arg(program);
        join(&mut command, &self.cgroup, self.lifetime)?;
        Ok(command)
    }
}
