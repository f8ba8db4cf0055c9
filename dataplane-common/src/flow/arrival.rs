//! What is known of a packet beside its bytes.

use crate::abi::Delivery;

/// How a packet arrived at its first hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// What it came in by.
    pub by: Ingress,
    /// The device's index.
    pub ifindex: u32,
    /// Bytes of the largest IP packet it stands for on the wire: with segmentation offload one
    /// segment with its headers, else the packet itself.
    pub segment: u32,
    /// How flows that begin here are delivered.
    pub delivery: Delivery,
}

/// A kind of device by which packets come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ingress {
    /// The link of a pod of this node.
    Pod,
    /// Any other: an uplink, a tunnel, a link of somebody else's pods.
    Netdev,
}

/// How a packet reached its last hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure {
    /// Whether a socket of this node sends it: what is forwarded belongs to none.
    pub own_socket: bool,
}
