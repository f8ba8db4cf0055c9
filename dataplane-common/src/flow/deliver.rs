//! Where a packet of a flow of ours goes, and in which shape.

use super::{Answer, Arrival, Rewrite, Route, Tables, Verdict, Work, hairpin};
use crate::abi::{Address, FlowFlags, FlowKey, Pod, PodFlags};
use crate::packet::Packet;

/// Delivers a packet of the flow at hand at its first hook.
// Not inlined: its stack is needed by what comes before it.
#[inline(never)]
pub(super) fn deliver<A: Address>(
    packet: &Packet<A>,
    arrival: &Arrival,
    tables: &impl Tables<A>,
    work: &Work<A>,
) -> Verdict<A> {
    let Work { key, entry, .. } = work;
    let translated = entry.translated(key.proto);
    let rewrite = Rewrite { from: packet.key, to: hairpin::apply(translated), routed: true };
    match way(packet, &translated, arrival, tables, entry.flags) {
        Way::Pod(Pod { ifindex, pod_mac, host_mac, .. }) => {
            Verdict::Peer { rewrite, ifindex, pod_mac, host_mac }
        }
        Way::Neighbour { ifindex, next_hop } => Verdict::Neighbour { rewrite, ifindex, next_hop },
        Way::TooNarrow { mtu } => Verdict::Answer(Answer::TooBig { mtu }),
        Way::Stack if entry.flags.has(FlowFlags::REVERSE) => stack(packet, *key),
        Way::Stack => stack(packet, translated),
    }
}

/// A packet with a tuple that the host's stack is to route.
#[inline(always)]
pub(super) fn stack<A: Address>(packet: &Packet<A>, to: FlowKey<A>) -> Verdict<A> {
    if packet.key == to {
        return Verdict::Pass;
    }
    Verdict::Stack(Rewrite { from: packet.key, to, routed: false })
}

/// Where a packet goes.
enum Way<A> {
    /// Into a pod of this node.
    Pod(Pod),
    /// Out of this node.
    Neighbour { ifindex: u32, next_hop: A },
    /// Nowhere: it does not fit, and its sender must hear so.
    TooNarrow { mtu: u32 },
    /// Where the stack takes it.
    Stack,
}

#[inline(always)]
fn way<A: Address>(
    packet: &Packet<A>,
    translated: &FlowKey<A>,
    arrival: &Arrival,
    tables: &impl Tables<A>,
    flags: FlowFlags,
) -> Way<A> {
    // With a TTL of 1 it is for the stack to answer, as on any routed path.
    if !flags.has(FlowFlags::BYPASS) || packet.ttl <= 1 {
        return Way::Stack;
    }
    let (way, mtu) = if flags.has(FlowFlags::REMOTE) {
        to_neighbour(translated, tables)
    } else {
        to_pod(translated.dst, tables)
    };
    if arrival.segment <= mtu {
        way
    } else if packet.may_fragment {
        Way::Stack
    } else {
        Way::TooNarrow { mtu }
    }
}

/// Into a pod of this node, and what that takes.
#[inline(always)]
fn to_pod<A: Address>(dst: A, tables: &impl Tables<A>) -> (Way<A>, u32) {
    match tables.pod(dst) {
        Some(pod) if !pod.flags.has(PodFlags::NO_PEER) => (Way::Pod(pod), pod.mtu),
        Some(_) | None => (Way::Stack, u32::MAX),
    }
}

/// Out of this node, and what that takes.
#[inline(always)]
fn to_neighbour<A: Address>(translated: &FlowKey<A>, tables: &impl Tables<A>) -> (Way<A>, u32) {
    let Route::Via { ifindex, next_hop } = tables.route(translated) else {
        return (Way::Stack, u32::MAX);
    };
    match tables.link(ifindex) {
        Some(link) => (Way::Neighbour { ifindex, next_hop }, link.mtu),
        None => (Way::Stack, u32::MAX),
    }
}
