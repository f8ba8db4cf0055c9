//! The pods' devices: their numbers, addresses and one switch.

use std::{
    ffi::c_char,
    io,
    net::{Ipv4Addr, UdpSocket},
    os::fd::AsRawFd as _,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use xtask::topology::{Netns, Node};

use super::pods::Pods;
use crate::bench::frame::Mac;

/// What is to be known of the pods' devices.
#[derive(Clone, Debug)]
pub(super) struct Devices {
    /// The client's, by number.
    pub(super) client: u32,
    pub(super) client_mac: Mac,
    /// The node's end of the client's link, by name.
    pub(super) host: String,
    pub(super) gateway_mac: Mac,
    /// The backend's, by number.
    pub(super) backend: u32,
}

impl Devices {
    /// Asks both pods and the node.
    pub(super) fn find(node: &Node, pods: &Pods) -> Result<Self> {
        let client = find(&pods.client, |device| device["ifname"] == "eth0")?;
        let host = find(node.netns(), |device| device["ifindex"] == client["link_index"])?;
        let backend = find(&pods.backend, |device| device["ifname"] == "eth0")?;
        Ok(Self {
            client: index(&client)?,
            client_mac: mac(&client)?,
            host: host["ifname"].as_str().context("a device without a name")?.to_owned(),
            gateway_mac: mac(&host)?,
            backend: index(&backend)?,
        })
    }
}

fn find(netns: &Netns, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    let output = netns.command("ip").args(["-json", "link", "show"]).output()?;
    let devices: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("`ip -json link show` in {}", netns.path().display()))?;
    let devices = devices.as_array().cloned().unwrap_or_default();
    let found = devices.into_iter().find(wanted);
    found.with_context(|| format!("a device is missing in {}", netns.path().display()))
}

fn index(device: &Value) -> Result<u32> {
    Ok(device["ifindex"].as_u64().context("a device without a number")?.try_into()?)
}

fn mac(device: &Value) -> Result<Mac> {
    let text = device["address"].as_str().context("a device without an address")?;
    let bytes: Vec<u8> =
        text.split(':').map(|byte| u8::from_str_radix(byte, 16)).collect::<Result<_, _>>()?;
    bytes.try_into().map_err(|_| anyhow::anyhow!("{text} is no hardware address"))
}

#[repr(C)]
struct EthtoolValue {
    command: u32,
    value: u32,
}

const SIOCETHTOOL: libc::c_ulong = 0x8946;
const ETHTOOL_SGRO: u32 = 0x2c;

/// Switches generic receive offload of a device of this thread's network namespace; a veth takes
/// redirected frames only while it is on.
pub(super) fn set_gro(device: &str, on: bool) -> Result<()> {
    // SAFETY: all-zero bytes are a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if device.len() >= request.ifr_name.len() {
        bail!("{device} is no name of a device");
    }
    for (to, from) in request.ifr_name.iter_mut().zip(device.bytes()) {
        *to = c_char::from_ne_bytes([from]);
    }
    let mut value = EthtoolValue { command: ETHTOOL_SGRO, value: u32::from(on) };
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    // SAFETY: the request is live, and points to a live value of the layout that its command has.
    let outcome = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) };
    if outcome == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error()).with_context(|| format!("switching the GRO of {device}"))
}
