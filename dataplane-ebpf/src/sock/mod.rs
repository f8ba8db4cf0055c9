//! Calls by which processes name or learn their peers, at cgroup hooks: reading the peer, changing
//! it, refusing the call.
//!
//! The programs see every process below their cgroup, pods' too; those of other network namespaces
//! than the node's are left alone.

mod context;
mod hook;
mod peer;

pub(crate) use context::SockAddr;
pub(crate) use hook::{ask, send, tell};
pub(crate) use peer::{Peer4, Peer6};
