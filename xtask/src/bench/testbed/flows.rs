//! The table of flows: how full it is, and how it is emptied.

use std::fs;

use anyhow::{Context as _, Result};
use dataplane_common::abi::{FlowEntry, FlowKey, names};
use xtask::topology::Node;

use super::waggle;
use crate::{
    bench::{bpf, variant::Variant},
    conntrack,
    workspace::Artifacts,
};

const COUNT: &str = "/proc/sys/net/netfilter/nf_conntrack_count";

/// Entries of a node; netfilter has one for a flow, Waggle one for each direction.
pub(super) fn count(variant: Variant, node: &Node, artifacts: &Artifacts) -> Result<u64> {
    match variant {
        Variant::Plain | Variant::Routes | Variant::Tunnel => Ok(0),
        Variant::Nft => {
            let text = node.netns().run(|| fs::read_to_string(COUNT))?.context(COUNT)?;
            text.trim().parse().with_context(|| format!("{COUNT} says {text}"))
        }
        Variant::Bypass | Variant::Stack | Variant::HostGw | Variant::Vxlan => {
            let status = waggle::status(node, artifacts)?;
            let maps = status["maps"].as_array().cloned().unwrap_or_default();
            let flows = maps.iter().find(|map| map["name"] == "flows4");
            flows.and_then(|map| map["used"].as_u64()).context("`waggle status` tells no flows4")
        }
    }
}

/// Empties the table of a node.
pub(super) fn forget(variant: Variant, node: &Node) -> Result<()> {
    match variant {
        Variant::Plain | Variant::Routes | Variant::Tunnel => Ok(()),
        Variant::Nft => node.netns().run(conntrack::flush)?.context("flushing netfilter's flows"),
        Variant::Bypass | Variant::Stack | Variant::HostGw | Variant::Vxlan => {
            let pin = format!("/sys/fs/bpf/waggle/abi-{}/maps/{}", names::ABI, names::FLOWS4);
            let sizes = [size_of::<FlowKey<[u8; 4]>>(), size_of::<FlowEntry<[u8; 4]>>()];
            bpf::empty(&node.path(&pin), sizes)
        }
    }
}
