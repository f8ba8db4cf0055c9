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
    Packet, TooShort, Transport, address_diff, apply_related, checksum_offset, header_diff,
    port_diff,
};

use super::{HelperFailed, Skb, size};
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
        addresses(skb, packet.l3, rewrite)?;
    }
    if rewrite.routed {
        let ttl = [packet.ttl.saturating_sub(1)];
        skb.store(packet.l3.wrapping_add(A::TTL), ttl, beside::<A>())?;
    }
    match A::HEADER_CHECKSUM {
        Some(offset) => skb
            .replace_l3_checksum(packet.l3.wrapping_add(offset), header_diff(rewrite, packet.ttl)),
        None => Ok(()),
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

#[inline(always)]
fn addresses<A: Stored>(skb: Skb, l3: u32, rewrite: &Rewrite<A>) -> Result<(), HelperFailed> {
    let Rewrite { from, to, .. } = rewrite;
    let src = l3.wrapping_add(A::ADDRESSES);
    if from.src != to.src {
        skb.store(src, to.src, beside::<A>())?;
    }
    if from.dst != to.dst {
        skb.store(src.wrapping_add(size(size_of::<A>())), to.dst, beside::<A>())?;
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
        Transport::Icmp { .. } | Transport::LaterFragment | Transport::Other => return Ok(()),
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
    skb.store(packet.l4, [s0, s1, d0, d1], 0)
}

/// How writes into the IP header are entered into a sum beside the packet.
#[inline(always)]
const fn beside<A: Stored>() -> u32 {
    match A::HEADER_CHECKSUM {
        Some(_) => 0,
        None => BPF_F_RECOMPUTE_CSUM,
    }
}
