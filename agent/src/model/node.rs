//! Nodes.

use std::net::IpAddr;

use ipnetwork::IpNetwork;

/// The parts of a Node that can change what is served or routed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSpec {
    /// The node's name.
    pub name: String,
    /// The networks its pods are in.
    pub pod_cidrs: Vec<IpNetwork>,
    /// Its addresses towards other nodes.
    pub internal_ips: Vec<IpAddr>,
    /// The zone it is in.
    pub zone: Option<String>,
    /// Whether it is about to be taken away, so that nobody is to send to it any more.
    pub is_leaving: bool,
    /// Whether pods are kept from it until somebody says that its network is there.
    pub is_network_unavailable: bool,
}
