//! Rewrites by the kernel's helpers, which know whether a checksum is complete, still the network
//! card's to complete, or kept beside the packet.
//!
//! That third kind decides about `BPF_F_RECOMPUTE_CSUM`. An IPv4 header sums up to nothing, so what
//! changes in it leaves no trace in a sum over the packet, and the transport checksum's change is
//! entered by `BPF_F_PSEUDO_HDR`. In IPv6 nothing makes up for the addresses but the transport
//! checksum: both changes cancel out, so the one the helper enters must be met by the other.

use aya_ebpf::bindings::{BPF_F_MARK_MANGLED_0, BPF_F_PSEUDO_HDR, BPF_F_RECOMPUTE_CSUM};
use dataplane_common::abi::Proto;
use dataplane_common::flow::{Related, Rewrite};
use dataplane_common::packet::{
    BytesMut as _, Packet, TooShort, Transport, address_diff, apply_related, checksum_offset,
    port_diff, rewrite_header,
};

use super::{Head, HelperFailed, Skb, size};
use crate::family::Stored;

/// Writes what differs.
// Not inlined: three verdicts need it.
#[inline(never)]
pub(crate) fn rewrite<A: Stored>(
    skb: Skb,
    packet: &Packet<A>,
    rewrite: &Rewrite<A>,
) -> Result<(), HelperFailed> {
    if rewrite.from != rewrite.to {
        transport(skb, packet, rewrite)?;
    }
    match A::HEADER_CHECKSUM {
        Some(_) => {
            let header = rewrite_header(&mut Head(skb), packet.l3, packet.ttl, rewrite);
            header.map(drop).map_err(|TooShort| HelperFailed)
        }
        None => header(skb, packet, rewrite),
    }
}

/// Rewrites an ICMP error and what it quotes.
// Not inlined: rare, and its stack is needed elsewhere.
#[inline(never)]
pub(crate) fn related<A: Stored>(
    mut skb: Skb,
    packet: &Packet<A>,
    related: &Related<A>,
) -> Result<(), HelperFailed> {
    apply_related(related, packet, &mut skb).map_err(|TooShort| HelperFailed)
}

/// Rewrites a header that has no checksum.
#[inline(always)]
fn header<A: Stored>(
    skb: Skb,
    packet: &Packet<A>,
    rewrite: &Rewrite<A>,
) -> Result<(), HelperFailed> {
    let Rewrite { from, to, routed } = rewrite;
    let src = packet.l3.wrapping_add(A::ADDRESSES);
    if from.src != to.src {
        skb.store(src, to.src, BPF_F_RECOMPUTE_CSUM)?;
    }
    if from.dst != to.dst {
        skb.store(src.wrapping_add(size(size_of::<A>())), to.dst, BPF_F_RECOMPUTE_CSUM)?;
    }
    if *routed {
        let ttl = [packet.ttl.saturating_sub(1)];
        skb.store(packet.l3.wrapping_add(A::TTL), ttl, BPF_F_RECOMPUTE_CSUM)?;
    }
    Ok(())
}

#[inline(always)]
fn transport<A: Stored>(
    skb: Skb,
    packet: &Packet<A>,
    rewrite: &Rewrite<A>,
) -> Result<(), HelperFailed> {
    let proto = packet.key.proto;
    let ports = match packet.transport {
        Transport::Tcp(_) | Transport::Udp { .. } => true,
        Transport::Icmp { .. } if A::ICMP_COVERS_ADDRESSES => false,
        Transport::Sctp(_)
        | Transport::Icmp { .. }
        | Transport::LaterFragment
        | Transport::Other => return Ok(()),
    };
    let Some(offset) = checksum_offset(proto) else {
        return Ok(());
    };
    let at = packet.l4.wrapping_add(offset);
    let zero_is_none = if proto == Proto::UDP { BPF_F_MARK_MANGLED_0 } else { 0 };
    skb.replace_l4_checksum(at, address_diff(rewrite), BPF_F_PSEUDO_HDR | zero_is_none)?;
    if !ports {
        return Ok(());
    }
    let [s0, s1] = rewrite.to.sport.0;
    let [d0, d1] = rewrite.to.dport.0;
    skb.replace_l4_checksum(at, port_diff(rewrite), zero_is_none)?;
    Head(skb).write(packet.l4, [s0, s1, d0, d1]).map_err(|TooShort| HelperFailed)
}
