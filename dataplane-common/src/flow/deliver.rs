//! Where a packet of a flow of ours goes, and in which shape.

use super::{Answer, Arrival, Rewrite, Route, Tables, Verdict, Work, hairpin};
use crate::abi::{Address, FlowFlags, FlowKey, Link, Pod, PodFlags};
use crate::packet::Packet;

/// Delivers a packet of the flow at hand at its first hook.
// Not inlined: its stack is needed by what comes before it. And each branch returns its verdict by
// itself: where branches met, shorter verdicts would bring bytes nobody has written, which the
// verifier refuses to copy.
#[inline(never)]
pub(super) fn deliver<A: Address>(
    packet: &Packet<A>,
    arrival: &Arrival,
    tables: &impl Tables<A>,
    work: &Work<A>,
) -> Verdict<A> {
    let flags = work.entry.flags;
    // With a TTL of 1 it is for the stack to answer, as on any routed path.
    if !flags.has(FlowFlags::BYPASS) || packet.ttl <= 1 {
        return to_stack(packet, work);
    }
    let is_remote = flags.has(FlowFlags::REMOTE);
    match if is_remote { None } else { tables.pod(work.entry.dst) } {
        Some(pod) => to_pod(packet, arrival, work, &pod),
        None => to_neighbour(packet, arrival, tables, work),
    }
}

/// To where the host's stack takes it: answers not before `to_pod` has translated them.
#[inline(always)]
fn to_stack<A: Address>(packet: &Packet<A>, work: &Work<A>) -> Verdict<A> {
    let Work { key, entry, .. } = work;
    let answers = entry.flags.has(FlowFlags::REVERSE);
    stack(packet, if answers { *key } else { entry.translated(key.proto) })
}

/// A packet with a tuple that the host's stack is to route.
#[inline(always)]
pub(super) fn stack<A: Address>(packet: &Packet<A>, to: FlowKey<A>) -> Verdict<A> {
    if packet.key == to {
        return Verdict::Pass;
    }
    Verdict::Stack(Rewrite { from: packet.key, to, routed: false })
}

/// Into a pod of this node.
#[inline(always)]
fn to_pod<A: Address>(
    packet: &Packet<A>,
    arrival: &Arrival,
    work: &Work<A>,
    pod: &Pod,
) -> Verdict<A> {
    let Pod { ifindex, mtu, pod_mac, host_mac, flags } = *pod;
    if flags.has(PodFlags::NO_PEER) {
        return to_stack(packet, work);
    }
    match fit(packet, arrival, mtu) {
        Fit::Fits => Verdict::Peer { rewrite: routed(packet, work), ifindex, pod_mac, host_mac },
        Fit::ToFragment => to_stack(packet, work),
        Fit::TooBig => Verdict::Answer(Answer::TooBig { mtu }),
    }
}

/// Out of this node.
#[inline(always)]
fn to_neighbour<A: Address>(
    packet: &Packet<A>,
    arrival: &Arrival,
    tables: &impl Tables<A>,
    work: &Work<A>,
) -> Verdict<A> {
    let translated = work.entry.translated(work.key.proto);
    let Route::Via { ifindex, next_hop } = tables.route(&translated) else {
        return to_stack(packet, work);
    };
    let Some(Link { mtu, .. }) = tables.link(ifindex) else {
        return to_stack(packet, work);
    };
    match fit(packet, arrival, mtu) {
        Fit::Fits => Verdict::Neighbour { rewrite: routed(packet, work), ifindex, next_hop },
        Fit::ToFragment => to_stack(packet, work),
        Fit::TooBig => Verdict::Answer(Answer::TooBig { mtu }),
    }
}

/// What changes in a packet that is redirected past the stack.
#[inline(always)]
fn routed<A: Address>(packet: &Packet<A>, work: &Work<A>) -> Rewrite<A> {
    let to = hairpin::apply(work.entry.translated(work.key.proto));
    Rewrite { from: packet.key, to, routed: true }
}

/// A packet against an MTU.
enum Fit {
    Fits,
    /// It does not, and whoever routes it may cut it up.
    ToFragment,
    /// It does not, and its sender must hear so.
    TooBig,
}

#[inline(always)]
fn fit<A>(packet: &Packet<A>, arrival: &Arrival, mtu: u32) -> Fit {
    if arrival.segment <= mtu {
        Fit::Fits
    } else if packet.may_fragment {
        Fit::ToFragment
    } else {
        Fit::TooBig
    }
}
