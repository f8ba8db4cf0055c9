//! What a node's kernel refuses, whatever Waggle does.

use std::{fs, io};

use anyhow::Result;

use super::cluster::Cluster;

/// `rp_filter` and `accept_local` of the client's node: agent and plugin must leave them strict.
pub(super) fn strictness(cluster: &Cluster<'_>) -> Result<[String; 2]> {
    let read = |device: &str, key: &str| {
        fs::read_to_string(format!("/proc/sys/net/ipv4/conf/{device}/{key}"))
    };
    let device = |device: &str| -> io::Result<String> {
        let (filter, local) = (read(device, "rp_filter")?, read(device, "accept_local")?);
        Ok(format!("{device} {} {}", filter.trim(), local.trim()))
    };
    let node = cluster.netns_of_node("client")?;
    Ok(node.run(|| -> io::Result<_> { Ok([device("all")?, device("eth0")?]) })??)
}
