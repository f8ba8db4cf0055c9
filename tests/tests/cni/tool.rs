//! cnitool of the CNI project: a runtime that knows no more than the protocol.

use std::{
    env, fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::mount::{MountFlags, mount};
use serde_json::{Value, json};

use super::{
    host::{Host, Pod},
    plugin::target,
};

/// Where other plugins are.
pub(super) const OTHERS: &str = "/usr/lib/cni";
/// Below it the library of runtimes remembers what was added.
const STATE: &str = "/var/lib";
const MEMORY: &str = "/var/lib/cni/results";

/// A runtime for the pods of a node, with a list of plugins for each of them.
#[derive(Debug)]
pub(super) struct Tool<'a> {
    host: &'a Host,
    configs: PathBuf,
    /// The port of the node at which a pod's is to be had, where some plugin maps ports.
    host_port: Option<(u16, u16)>,
}

impl<'a> Tool<'a> {
    /// A runtime of the node's, whose memory ends with the node.
    pub(super) fn new(host: &'a Host, version: &str, plugins: &[Value]) -> Result<Self> {
        let configs = host.run_dir().join("net.d");
        fs::create_dir_all(&configs)?;
        host.run(|| {
            mount("tmpfs", STATE, "tmpfs", MountFlags::empty(), None)?;
            Ok(fs::create_dir_all(MEMORY)?)
        })?;
        let tool = Self { host, configs, host_port: None };
        tool.list(version, plugins)?;
        Ok(tool)
    }

    /// Puts a list of plugins in the place of the one before.
    pub(super) fn list(&self, version: &str, plugins: &[Value]) -> Result<()> {
        let list = json!({ "cniVersion": version, "name": "waggle", "plugins": plugins });
        Ok(fs::write(self.configs.join("10-waggle.conflist"), list.to_string())?)
    }

    /// Asks for a pod's port at a port of the node.
    pub(super) fn mapping(self, host_port: u16, port: u16) -> Self {
        Self { host_port: Some((host_port, port)), ..self }
    }

    /// Runs a verb for a pod, and returns its result, where it has one.
    pub(super) fn run(&self, verb: &'static str, pod: &Pod) -> Result<Option<Value>> {
        let mut command = self.command()?;
        command.args([verb, "waggle"]).arg(pod.inside.netns());
        let output = self.host.run(move || Ok(command.output()?))?;
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "cnitool {verb}: {}", error.trim());
        if output.stdout.is_empty() {
            return Ok(None);
        }
        Ok(Some(serde_json::from_slice(&output.stdout)?))
    }

    /// Adds a pod.
    pub(super) fn add(&self, pod: &Pod) -> Result<Value> {
        self.run("add", pod)?.context("no result")
    }

    /// Makes the library of runtimes forget whatever was added.
    pub(super) fn forget(&self) -> Result<()> {
        self.host.run(|| {
            for entry in fs::read_dir(MEMORY)? {
                fs::remove_file(entry?.path())?;
            }
            Ok(())
        })
    }

    fn command(&self) -> Result<Command> {
        let tool = target().join("upstream/cnitool");
        if !tool.exists() {
            bail!("{} is not there: run this suite by `cargo xtask test cni`", tool.display());
        }
        let mut command = Command::new(tool);
        let ours = target().join("waggle").display().to_string();
        command.env_clear().env("CNI_PATH", [&ours, OTHERS].join(":"));
        command.env("PATH", env::var_os("PATH").context("no PATH")?);
        command.env("NETCONFPATH", &self.configs).stdin(Stdio::null());
        if let Some((host_port, port)) = self.host_port {
            let mapping =
                json!({ "hostPort": host_port, "containerPort": port, "protocol": "tcp" });
            command.env("CAP_ARGS", json!({ "portMappings": [mapping] }).to_string());
        }
        Ok(command)
    }
}
