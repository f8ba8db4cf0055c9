//! Layout of everything that lives in maps: the contract between the kernel programs, the agent
//! and the CNI plugin.
//!
//! Rules: `#[repr(C)]`, no padding that is not named, no `bool`, `enum`, `usize` or `Option`, any
//! bit pattern valid, and a size assert beside each type. Values that stand in packets (addresses,
//! ports) are byte arrays in network order; counters and identifiers are in the host's order.

mod addr;
mod affinity;
mod backend;
mod config;
mod counter;
mod flow;
mod fragment;
mod host_port;
pub mod names;
mod node;
mod pod;
mod service;
mod socket;
mod source;
mod timeout;
#[cfg(feature = "user")]
mod user;

pub use addr::{Addr, Address, Family, Port, Proto};
pub use affinity::{Affinity, AffinityKey};
pub use backend::{Backend, BackendId, BackendState, Scopes, Slot, SlotFlags};
pub use config::{Clock, Delivery, HAIRPIN_V4, HAIRPIN_V6, NodeConfig, Refusal};
pub use counter::{Counter, DropReason, PathTaken, Tries};
pub use flow::{FlowEntry, FlowFlags, FlowKey};
pub use fragment::{FragmentKey, Fragmented};
pub use host_port::HostPort;
pub use node::{IPV4_PREFIX, Network, NetworkFlags, NetworkKind, Node, NodeFlags};
pub use pod::{Link, LinkFlags, Meta, NetnsId, Pod, PodFlags};
pub use service::{FrontendKey, FrontendKind, Service, ServiceFlags, ServiceId};
pub use socket::{SocketDirection, SocketEntry, SocketKey};
pub use source::{SOURCE_PREFIX, SourceKey};
pub use timeout::{LIVES, Phase, life};
