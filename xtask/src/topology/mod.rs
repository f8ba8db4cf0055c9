//! Nodes on a bridge and a client outside, made of namespaces; it knows nothing of Services.
//!
//! ```text
//!   <prefix>-outside   eth0                               203.0.113.9, fdcb::9
//!                       │
//!   <prefix>-net       wan ── routing ── br0              192.168.77.1, fd77::1
//!                                 ┌───────┴──────┬─ ─
//!                                 │ eth0         │ eth0   192.168.77.0/24, fd77::/64
//!                             <prefix>-a     <prefix>-b … named network namespaces
//!                               pods …         pods …     known inside their node only
//! ```
//!
//! The router knows nothing of pods; what is for virtual addresses it sends to the first node.
//!
//! A node can be on a link of its own beyond the router, too, where it reaches the others by that alone.
//!
//! A node [apart](Apart) is not on the bridge: the far end of its uplink is a namespace of its own.
//!
//! A node has mount, process, cgroup and host name namespaces of its own, all held by its first
//! process: /run, /sys, the BPF file system and the pods in there end with it. What a killed
//! caller can leave is named, and [`sweep`] finds it by that name: network namespaces and empty
//! cgroups.

mod apart;
mod cgroup;
mod cni;
mod init;
mod netns;
mod network;
mod node;
mod pod;
mod process;
mod router;

pub use apart::{Apart, Site};
pub use cni::{Attachment, Runtime};
pub use init::{NODE_INIT, node_init};
pub use netns::Netns;
pub use network::{Network, sweep};
pub use node::{Node, NodeAddresses};
pub use pod::Pod;
pub use process::{Lifetime, Process};
pub use router::{INSIDE, OUTSIDE, VIRTUAL};
