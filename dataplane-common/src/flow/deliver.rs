//! Where a packet of a flow of ours goes, and in which shape.

use super::{
    Answer, Arrival, Rewrite, Route, Tables, Verdict, Work, arrive::takes_peers, gone, hairpin,
    outside::inside,
};
use crate::abi::{Address, FlowFlags, FlowKey, Link, Pod};
use crate::packet::Packet;

/// Delivers a packet of the flow at hand at its first hook.
// Not inlined: its stack is needed by what comes before it.
#[inline(never)]
pub(super) fn deliver<A: Address>(
    packet: &Packet<A>,
    arrival: &Arrival,
    tables: &impl Tables<A>,
    work: &mut Work<A>,
) -> Verdict {
    let flags = work.entry.flags;
    // With a TTL of 1 it is for the stack to answer, as on any routed path.
    if !flags.has(FlowFlags::BYPASS) || packet.ttl <= 1 || work.by_stack {
        if work.is_left && gone::is_to_nobody(packet, tables, work) {
            return Verdict::Reset;
        }
        return to_stack(packet, work);
    }
    let is_remote = flags.has(FlowFlags::REMOTE);
    match if is_remote { None } else { tables.pod(work.entry.dst) } {
        Some(pod) => to_pod(packet, arrival, work, &pod),
        None if !is_remote && gone::is_to_nobody(packet, tables, work) => Verdict::Reset,
        None => to_neighbour(packet, arrival, tables, work),
    }
}

/// To where the host's stack takes it, which must not see all of it translated.
#[inline(always)]
fn to_stack<A: Address>(packet: &Packet<A>, work: &mut Work<A>) -> Verdict {
    let to = inside(&work.key, &work.entry);
    stack(packet, to, work)
}

/// A packet with a tuple that the host's stack is to route.
#[inline(always)]
pub(super) fn stack<A: Address>(packet: &Packet<A>, to: FlowKey<A>, work: &mut Work<A>) -> Verdict {
    if packet.key == to {
        return Verdict::Pass;
    }
    work.exit.rewrite = Rewrite { from: packet.key, to, routed: false };
    Verdict::Stack
}

/// Into a pod of this node.
#[inline(always)]
fn to_pod<A: Address>(
    packet: &Packet<A>,
    arrival: &Arrival,
    work: &mut Work<A>,
    pod: &Pod,
) -> Verdict {
    let Pod { ifindex, mtu, pod_mac, host_mac, .. } = *pod;
    if !takes_peers(*pod) {
        return to_stack(packet, work);
    }
    match fit(packet, arrival, mtu) {
        Fit::Fits => {
            work.exit.rewrite = routed(packet, work);
            work.exit.ifindex = ifindex;
            work.exit.pod_mac = pod_mac;
            work.exit.host_mac = host_mac;
            Verdict::Peer
        }
        Fit::ToFragment => to_stack(packet, work),
        Fit::TooBig => {
            work.exit.answer = Answer::TooBig { mtu };
            Verdict::Answer
        }
    }
}

/// Out of this node.
#[inline(always)]
fn to_neighbour<A: Address>(
    packet: &Packet<A>,
    arrival: &Arrival,
    tables: &impl Tables<A>,
    work: &mut Work<A>,
) -> Verdict {
    work.exit.rewrite = routed(packet, work);
    let Route::Via { ifindex, next_hop } = tables.route(&work.exit.rewrite.to) else {
        return to_stack(packet, work);
    };
    let Some(Link { mtu, .. }) = tables.link(ifindex) else {
        return to_stack(packet, work);
    };
    match fit(packet, arrival, mtu) {
        Fit::Fits => {
            work.exit.ifindex = ifindex;
            work.exit.next_hop = next_hop;
            Verdict::Neighbour
        }
        Fit::ToFragment => to_stack(packet, work),
        Fit::TooBig => {
            work.exit.answer = Answer::TooBig { mtu };
            Verdict::Answer
        }
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
