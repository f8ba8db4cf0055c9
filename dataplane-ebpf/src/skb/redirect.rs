//! Redirects past the host's stack.

use aya_ebpf::helpers::generated::{bpf_redirect_neigh, bpf_redirect_peer};
use dataplane_common::packet::{BytesMut as _, Framing, TooShort};

use super::{Head, HelperFailed, Skb, buffer::action, size};
use crate::family::{Stored, neighbour};

/// Bytes of an Ethernet header without tags.
const ETHERNET: u32 = 14;
/// Where the header has its type.
const ETHERTYPE: u32 = 12;
/// Bytes of a VLAN tag.
const TAG: u32 = 4;

/// The addresses of an Ethernet header.
pub(crate) struct Ethernet {
    pub(crate) dst: [u8; 6],
    pub(crate) src: [u8; 6],
}

/// Into the network namespace behind a link of this node, as if it had come by that link. Only
/// where packets come in: the kernel drops such redirects elsewhere.
#[inline(always)]
pub(crate) fn to_peer<A: Stored>(
    skb: Skb,
    framing: Framing,
    l3: u32,
    ifindex: u32,
    header: &Ethernet,
) -> Result<i32, HelperFailed> {
    make_plain_ethernet::<A>(skb, framing, l3)?;
    let Ethernet { dst: [d0, d1, d2, d3, d4, d5], src: [s0, s1, s2, s3, s4, s5] } = *header;
    let addresses = [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5];
    Head(skb).write(0, addresses).map_err(|TooShort| HelperFailed)?;
    // SAFETY: the helper takes numbers alone.
    Ok(action(unsafe { bpf_redirect_peer(ifindex, 0) }))
}

/// Out of a device to a neighbour, whose hardware address the kernel finds out.
#[inline(always)]
pub(crate) fn to_neighbour<A: Stored>(
    skb: Skb,
    framing: Framing,
    l3: u32,
    ifindex: u32,
    next_hop: A,
) -> Result<i32, HelperFailed> {
    make_plain_ethernet::<A>(skb, framing, l3)?;
    skb.set_done();
    let mut neighbour = neighbour(next_hop);
    let size = size(size_of_val(&neighbour)).cast_signed();
    // SAFETY: `neighbour` is `size` readable bytes.
    Ok(action(unsafe { bpf_redirect_neigh(ifindex, &raw mut neighbour, size, 0) }))
}

/// Redirects expect an Ethernet header without tags: the tags were for the device the packet came
/// in by, and a device without such headers has none to give.
#[inline(always)]
fn make_plain_ethernet<A: Stored>(skb: Skb, framing: Framing, l3: u32) -> Result<(), HelperFailed> {
    match framing {
        Framing::Ip => {
            skb.push_front(ETHERNET)?;
            skb.store(ETHERTYPE, A::ETHERTYPE, 0)
        }
        Framing::Ethernet => {
            if skb.has_vlan_beside() {
                skb.pop_vlan()?;
            }
            if l3 > ETHERNET {
                skb.pop_vlan()?;
            }
            if l3 > ETHERNET.wrapping_add(TAG) {
                skb.pop_vlan()?;
            }
            Ok(())
        }
    }
}
