//! The host's network as the agent and the CNI plugin need it: namespaces, links, addresses,
//! routes, neighbours, sysctls, and the hooks that kernel programs are attached to.
//!
//! Functions take the [`Netlink`] of the namespace they act in, so that each call shows where it
//! acts. Whatever has an `ensure` may be repeated; whatever is gone already is not an error.
//! Futures need a tokio runtime, current-thread is enough.
//!
//! ```text
//! netns ── opens ──> netlink ── used by ──> link, vxlan, addr, route, neigh, fdb
//!   '── runs closures inside ──> sysctl, sockets    hook <── pins
//! host_ports: what the node's own ports lead to
//! ```

pub mod addr;
mod bpf;
pub mod cgroup;
mod direction;
mod dump;
mod error;
pub mod fdb;
pub mod hook;
pub mod host_ports;
pub mod link;
mod mac;
pub mod neigh;
pub mod netfilter;
mod netlink;
pub mod netns;
mod pins;
mod question;
pub mod route;
pub mod sockets;
pub mod sysctl;
pub mod vxlan;
pub mod watch;
pub mod xtables;

pub use error::{Cause, Error, Result};
pub use mac::Mac;
pub use netlink::Netlink;
pub use netns::NetNs;
pub use pins::Pins;
