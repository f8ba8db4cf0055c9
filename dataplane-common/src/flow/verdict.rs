//! What the shell around the decisions is to do with a packet.

use crate::abi::{Address, DropReason, FlowKey};
use crate::packet::{Packet, Quoted};

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
    /// The packet that the error quotes.
    pub quote: Quoted<A>,
    /// What the tuple of the error's own direction becomes: the quoted one turned round.
    pub to: FlowKey<A>,
}

impl<A: Address> Related<A> {
    /// The quoted packet's tuple.
    #[must_use]
    #[inline(always)]
    pub fn inner(&self) -> Rewrite<A> {
        Rewrite { from: self.quote.key, to: self.to.turned(), routed: false }
    }

    /// Source and destination of the error itself. Routers on the way keep their address.
    #[must_use]
    #[inline(always)]
    pub fn outer(&self, packet: &Packet<A>) -> Rewrite<A> {
        let from = packet.key;
        let FlowKey { src, dst, .. } = self.to;
        let src = if from.src == self.quote.key.dst { src } else { from.src };
        Rewrite { from, to: FlowKey { src, dst, ..from }, routed: false }
    }
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
