//! The hardware addresses of both ends of a link.

use anyhow::{Context as _, Result, anyhow};
use serde_json::Value;
use xtask::topology::Netns;

/// The name of every device that is tapped.
pub(super) const DEVICE: &str = "eth0";

/// Of a link, seen from its end that is tapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::diff) struct Macs {
    pub(in crate::diff) near: [u8; 6],
    /// The node's.
    pub(in crate::diff) far: [u8; 6],
}

impl Macs {
    /// Asks both ends; a link's other end is somewhere in `node`.
    pub(in crate::diff) fn find(netns: &Netns, node: &Netns) -> Result<Self> {
        let near = device(netns, |device| device["ifname"] == DEVICE)?;
        let far = device(node, |device| device["ifindex"] == near["link_index"])?;
        Ok(Self { near: mac(&near)?, far: mac(&far)? })
    }
}

fn device(netns: &Netns, is_it: impl Fn(&Value) -> bool) -> Result<Value> {
    let output = netns.command("ip").args(["-json", "link", "show"]).output()?;
    let devices: Vec<Value> = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("listing the devices of {}", netns.path().display()))?;
    let found = devices.into_iter().find(is_it);
    found.with_context(|| format!("a link has no end in {}", netns.path().display()))
}

fn mac(device: &Value) -> Result<[u8; 6]> {
    let text = device["address"].as_str().context("a device without an address")?;
    let bytes = text.split(':').map(|byte| u8::from_str_radix(byte, 16));
    let bytes: Vec<u8> = bytes.collect::<Result<_, _>>()?;
    bytes.try_into().map_err(|_| anyhow!("{text} is no hardware address"))
}
