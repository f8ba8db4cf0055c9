//! Clients that load balancers' addresses let in: the trie `sources`.

use super::{Addr, ServiceId};

/// Data of a key of the trie, of which the first [`SOURCE_PREFIX`] bits always count: a network of
/// clients of one ServicePort. Its value has no meaning.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceKey {
    /// The ServicePort.
    pub service: ServiceId,
    /// The network's address.
    pub addr: Addr,
}

const _: () = assert!(size_of::<SourceKey>() == 20 && align_of::<SourceKey>() == 4);

/// Bits of a [`SourceKey`] before its address.
pub const SOURCE_PREFIX: u32 = 32;
