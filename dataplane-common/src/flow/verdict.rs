//! What the shell around the decisions is to do with a packet.

use crate::abi::{Address, DropReason, FlowKey};
use crate::packet::{Packet, Quoted};

/// The fate of a packet. What it takes to carry it out stands in the [`Exit`]: a verdict that held
/// it would take more stack than kernel programs have, and where it is more than a byte, bytes that
/// nobody has written, which the verifier refuses to copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not ours: as if no program were there.
    Pass,
    /// Rewritten, then left to the host's stack.
    Stack,
    /// Rewritten, then redirected into the pod behind a link of this node.
    Peer,
    /// Rewritten, then redirected out of a device to a neighbour.
    Neighbour,
    /// An ICMP error on an ICMP flow of ours: both the error and the packet it quotes are rewritten.
    Related,
    /// Turned into an ICMP error that quotes it, sent back from the packet's own destination.
    Answer,
    /// Turned into a TCP reset that its sender believes, sent back from its own destination.
    Reset,
    /// Dropped.
    Drop(DropReason),
}

const _: () = assert!(size_of::<Verdict>() == 1);

/// What a verdict is carried out with. Each verdict fills in its own fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Exit<A> {
    /// What changes in the packet: [`Verdict::Stack`], [`Verdict::Peer`], [`Verdict::Neighbour`].
    pub rewrite: Rewrite<A>,
    /// What changes in an ICMP error: [`Verdict::Related`].
    pub related: Related<A>,
    /// Where it goes: the host side of the pod's link, or the neighbour's device.
    pub ifindex: u32,
    /// [`Verdict::Peer`]: hardware address of the pod's side.
    pub pod_mac: [u8; 6],
    /// [`Verdict::Peer`]: hardware address of the host's side.
    pub host_mac: [u8; 6],
    /// [`Verdict::Neighbour`]: its address.
    pub next_hop: A,
    /// [`Verdict::Answer`]: the error.
    pub answer: Answer,
}

/// The tuple a packet has and the one it leaves with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Rewrite<A> {
    /// What stands in the packet.
    pub from: FlowKey<A>,
    /// What shall stand there.
    pub to: FlowKey<A>,
    /// Whether TTL or hop limit fall by one: true where the stack will not do it.
    pub routed: bool,
}

/// How an ICMP error about a translated packet changes. Goes to the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Answer {
    /// Fragmentation needed (RFC 1191) or packet too big (RFC 8201), with the MTU.
    TooBig {
        /// Bytes that fit.
        mtu: u32,
    },
    /// Port unreachable (RFC 792, RFC 4443).
    #[default]
    PortUnreachable,
}
