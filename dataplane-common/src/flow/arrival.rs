//! What is known of a packet beside its bytes.

use crate::abi::Delivery;

/// How a packet arrived at a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Bytes of the largest IP packet it stands for on the wire: with segmentation offload one
    /// segment with its headers, else the packet itself.
    pub segment: u32,
    /// How flows that begin here are delivered.
    pub delivery: Delivery,
}
