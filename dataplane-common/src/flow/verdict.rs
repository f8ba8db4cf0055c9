//! What the shell around the decisions is to do with a packet.

use crate::abi::{DropReason, FlowKey};

/// The fate of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<A> {
    /// Not ours: as if no program were there.
    Pass,
    /// Rewritten, then left to the host's stack.
    Stack(Rewrite<A>),
    /// Rewritten, then redirected into the pod behind a link of this node.
    Peer {
        /// What changes.
        rewrite: Rewrite<A>,
        /// Host side of the pod's link.
        ifindex: u32,
        /// Hardware address of the pod's side.
        pod_mac: [u8; 6],
        /// Hardware address of the host's side.
        host_mac: [u8; 6],
    },
    /// Rewritten, then redirected out of a device to a neighbour.
    Neighbour {
        /// What changes.
        rewrite: Rewrite<A>,
        /// The device.
        ifindex: u32,
        /// The neighbour's address.
        next_hop: A,
    },
    /// An ICMP error on an ICMP flow of ours: both the error and the packet it quotes are rewritten.
    Related(Related<A>),
    /// Turned into an ICMP error that quotes it, sent back from the packet's own destination.
    Answer(Answer),
    /// Dropped.
    Drop(DropReason),
}

/// The tuple a packet has and the one it leaves with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewrite<A> {
    /// What stands in the packet.
    pub from: FlowKey<A>,
    /// What shall stand there.
    pub to: FlowKey<A>,
    /// Whether TTL or hop limit fall by one: true where the stack will not do it.
    pub routed: bool,
}

/// How an ICMP error about a translated packet changes. Goes to the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Related<A> {
    /// Source and destination of the error itself: what they are and what they become.
    pub outer: Rewrite<A>,
    /// The quoted packet's tuple.
    pub inner: Rewrite<A>,
    /// Where the quoted IP header begins, in bytes from the packet's begin.
    pub inner_l3: u32,
    /// Where the quoted transport header begins.
    pub inner_l4: u32,
}

/// ICMP errors we send ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Fragmentation needed (RFC 1191) or packet too big (RFC 8201), with the MTU.
    TooBig {
        /// Bytes that fit.
        mtu: u32,
    },
    /// Port unreachable (RFC 792, RFC 4443).
    PortUnreachable,
}
