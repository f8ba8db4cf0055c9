//! Two nodes on a bridge, made of namespaces; it knows nothing of Services.
//!
//! ```text
//!   <prefix>-net   br0 ──┬──────────────┐
//!                        │ eth0         │ eth0          192.168.77.0/24, fd77::/64
//!                   <prefix>-a     <prefix>-b           named network namespaces
//!                     pods …         pods …             known inside their node only
//! ```
//!
//! A node has mount, process, cgroup and host name namespaces of its own, all held by its first
//! process: /run, /sys, the BPF file system and the pods in there end with it. What a killed
//! caller can leave is named, and [`sweep`] finds it by that name: network namespaces and empty
//! cgroups.

mod cgroup;
mod cni;
mod init;
mod netns;
mod node;
mod pod;
mod process;
mod two_nodes;

pub use cni::{Attachment, Runtime};
pub use init::{NODE_INIT, node_init};
pub use netns::Netns;
pub use node::{Node, NodeAddresses};
pub use pod::Pod;
pub use process::{Lifetime, Process};
pub use two_nodes::{TwoNodes, sweep};
