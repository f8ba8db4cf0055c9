//! A flow whose backend is its own client: the pod must not see its own address as the peer.
//!
//! The fixed address [`Address::HAIRPIN`] stands for the client on the way to the backend, and back.
//! It is swapped in and out by itself: conntrack never holds it.

use crate::abi::{Address, FlowKey};

/// Puts the stand-in into a packet that a pod would get from itself.
#[inline(always)]
pub(super) fn apply<A: Address>(key: FlowKey<A>) -> FlowKey<A> {
    if key.src == key.dst { FlowKey { src: A::HAIRPIN, ..key } } else { key }
}

/// Puts the pod itself back where it answers the stand-in.
#[inline(always)]
pub(super) fn undo<A: Address>(key: FlowKey<A>) -> FlowKey<A> {
    if key.dst == A::HAIRPIN { FlowKey { dst: key.src, ..key } } else { key }
}
