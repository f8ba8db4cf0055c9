//! What became of a packet as one value, for tests to compare.

use super::{Answer, Exit, Related, Rewrite, Verdict};
use crate::abi::DropReason;

/// A verdict with what it is carried out with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome<A> {
    Pass,
    Stack(Rewrite<A>),
    Peer { rewrite: Rewrite<A>, ifindex: u32, pod_mac: [u8; 6], host_mac: [u8; 6] },
    Neighbour { rewrite: Rewrite<A>, ifindex: u32, next_hop: A },
    Related(Related<A>),
    Answer(Answer),
    Reset,
    Drop(DropReason),
}

impl<A> Outcome<A> {
    pub(super) fn new(verdict: Verdict, exit: Exit<A>) -> Self {
        let Exit { rewrite, related, ifindex, pod_mac, host_mac, next_hop, answer } = exit;
        match verdict {
            Verdict::Pass => Self::Pass,
            Verdict::Stack => Self::Stack(rewrite),
            Verdict::Peer => Self::Peer { rewrite, ifindex, pod_mac, host_mac },
            Verdict::Neighbour => Self::Neighbour { rewrite, ifindex, next_hop },
            Verdict::Related => Self::Related(related),
            Verdict::Answer => Self::Answer(answer),
            Verdict::Reset => Self::Reset,
            Verdict::Drop(reason) => Self::Drop(reason),
        }
    }
}
