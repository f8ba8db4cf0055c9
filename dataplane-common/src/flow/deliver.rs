//! Where a packet of a flow of ours goes, and in which shape.

use super::{Answer, Arrival, Rewrite, Route, Tables, Verdict, hairpin};
use crate::abi::{Address, FlowEntry, FlowFlags, FlowKey, PodFlags};
use crate::packet::Packet;

/// Delivers a packet at its first hook. `key` is the packet's tuple with the hairpin undone.
#[inline(always)]
pub(super) fn deliver<A: Address>(
    packet: &Packet<A>,
    key: &FlowKey<A>,
    entry: &FlowEntry<A>,
    arrival: &Arrival,
    tables: &impl Tables<A>,
) -> Verdict<A> {
    let reverse = entry.flags.has(FlowFlags::REVERSE);
    let translated = entry.translated(key.proto);
    let to_stack = stack(packet, if reverse { *key } else { translated });
    // With a TTL of 1 it is for the stack to answer, as on any routed path.
    if !entry.flags.has(FlowFlags::BYPASS) || packet.ttl <= 1 {
        return to_stack;
    }
    let rewrite = Rewrite { from: packet.key, to: hairpin::apply(translated), routed: true };
    if entry.flags.has(FlowFlags::REMOTE) {
        to_neighbour(packet, &translated, rewrite, arrival, tables).unwrap_or(to_stack)
    } else {
        to_pod(packet, translated.dst, rewrite, arrival, tables).unwrap_or(to_stack)
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

/// Into a pod of this node; none where only the stack can.
#[inline(always)]
fn to_pod<A: Address>(
    packet: &Packet<A>,
    dst: A,
    rewrite: Rewrite<A>,
    arrival: &Arrival,
    tables: &impl Tables<A>,
) -> Option<Verdict<A>> {
    let pod = tables.pod(dst)?;
    if pod.flags.has(PodFlags::NO_PEER) {
        return None;
    }
    match fit(packet, arrival, pod.mtu) {
        Fit::Fits => Some(Verdict::Peer {
            rewrite,
            ifindex: pod.ifindex,
            pod_mac: pod.pod_mac,
            host_mac: pod.host_mac,
        }),
        Fit::ToFragment => None,
        Fit::TooBig => Some(Verdict::Answer(Answer::TooBig { mtu: pod.mtu })),
    }
}

/// Out of this node; none where only the stack can.
#[inline(always)]
fn to_neighbour<A: Address>(
    packet: &Packet<A>,
    translated: &FlowKey<A>,
    rewrite: Rewrite<A>,
    arrival: &Arrival,
    tables: &impl Tables<A>,
) -> Option<Verdict<A>> {
    let (ifindex, next_hop) = match tables.route(translated) {
        Route::Via { ifindex, next_hop } => (ifindex, next_hop),
        Route::Stack => return None,
    };
    let link = tables.link(ifindex)?;
    match fit(packet, arrival, link.mtu) {
        Fit::Fits => Some(Verdict::Neighbour { rewrite, ifindex, next_hop }),
        Fit::ToFragment => None,
        Fit::TooBig => Some(Verdict::Answer(Answer::TooBig { mtu: link.mtu })),
    }
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
