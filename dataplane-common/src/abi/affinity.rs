//! Session affinity `ClientIP`: the LRU hash `affinities`.

use super::{Addr, ServiceId, Slot};

/// Key: a client of one ServicePort, over all its frontends.
#[repr(C, align(4))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AffinityKey {
    /// The client's address before any translation.
    pub client: Addr,
    /// The ServicePort.
    pub service: ServiceId,
    /// The ServicePort's [`super::Service::affinity_epoch`], so that entries of an earlier affinity
    /// are nobody's.
    pub epoch: u16,
    /// Zero.
    pub reserved: u16,
}

const _: () = assert!(size_of::<AffinityKey>() == 24 && align_of::<AffinityKey>() == 4);

/// Value: the backend that the client's next flow goes to.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Affinity {
    /// Where it is. Held to only while the backend of this identity and generation is in the set
    /// that the flow chooses from.
    pub slot: Slot,
    /// Seconds of the monotonic clock when the client last began a flow.
    pub last_used: u32,
}

const _: () = assert!(size_of::<Affinity>() == 32 && align_of::<Affinity>() == 4);
