//! The container runtime's half of the CNI protocol: environment and standard input in, JSON out.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::Value;

use super::{Pod, netns::feed};

/// The interface that runtimes ask for.
const INTERFACE: &str = "eth0";

/// A runtime that wires pods by one plugin.
#[derive(Clone, Debug)]
pub struct Runtime {
    plugin: PathBuf,
    config: String,
}

/// What the plugin said about a pod it wired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The pod's address.
    pub v4: Ipv4Addr,
    /// The pod's address.
    pub v6: Ipv6Addr,
}

impl Runtime {
    /// A runtime that gives `config` to the plugin each time.
    #[must_use]
    pub fn new(plugin: &Path, config: &str) -> Self {
        Self { plugin: plugin.to_owned(), config: config.to_owned() }
    }

    /// Wires a pod.
    pub fn add(&self, pod: &Pod<'_>) -> Result<Attachment> {
        let result = self.call("ADD", pod)?;
        let result: Value = serde_json::from_slice(&result)
            .with_context(|| format!("the plugin said {}", String::from_utf8_lossy(&result)))?;
        let addresses: Vec<IpAddr> = result["ips"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|ip| ip["address"].as_str()?.split('/').next()?.parse().ok())
            .collect();
        match addresses[..] {
            [IpAddr::V4(v4), IpAddr::V6(v6)] | [IpAddr::V6(v6), IpAddr::V4(v4)] => {
                Ok(Attachment { v4, v6 })
            }
            _ => bail!("the plugin did not give one address of each family: {result}"),
        }
    }

    /// Takes a pod's wires away.
    pub fn del(&self, pod: &Pod<'_>) -> Result<()> {
        self.call("DEL", pod).map(drop)
    }

    fn call(&self, verb: &str, pod: &Pod<'_>) -> Result<Vec<u8>> {
        let directory = self.plugin.parent().ok_or_else(|| anyhow!("the plugin has no folder"))?;
        let mut command = pod.node().command(&self.plugin)?;
        command
            .env("CNI_COMMAND", verb)
            .env("CNI_CONTAINERID", format!("{:0>64}", hex(pod.name())))
            .env("CNI_NETNS", format!("/run/netns/{}", pod.name()))
            .env("CNI_IFNAME", INTERFACE)
            .env("CNI_PATH", directory)
            .env(
                "CNI_ARGS",
                format!("IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME={}", pod.name()),
            );
        feed(&mut command, self.config.as_bytes())
            .with_context(|| format!("CNI {verb} of pod {} on {}", pod.name(), pod.node().name()))
    }
}

fn hex(name: &str) -> String {
    name.bytes().map(|byte| format!("{byte:02x}")).collect()
}
