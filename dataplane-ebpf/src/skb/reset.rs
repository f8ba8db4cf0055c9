//! TCP resets made of the segments that they answer, and sent back where those came from.
//!
//! ```text
//! Ethernet | IP | TCP ...                            cut or filled up behind the old headers
//! Ethernet | old headers | room for the new ones     the old headers are taken out
//! Ethernet | IP  TCP                                 the new ones fill the rest
//! ```
//!
//! The checksum of a local sender's segment may still be a network card's to complete, where it
//! stands. Only the kernel forgets that: once the old TCP header is before the packet's first byte.

use aya_ebpf::bindings::BPF_F_RECOMPUTE_CSUM;
use dataplane_common::packet::{Framing, Packet, Reset, TooShort, may_answer};

use super::answer::{ETHERNET, turn_round};
use super::{HelperFailed, Skb, size};
use crate::family::Stored;

/// Bytes of a TCP header without options.
const TCP: u32 = 20;

/// Turns a segment into the reset that answers it; the action to return.
// Not inlined: rare, and its stack is needed elsewhere.
#[inline(never)]
pub(crate) fn reset<A: Stored>(
    skb: Skb,
    packet: &Packet<A>,
    framing: Framing,
) -> Result<i32, HelperFailed> {
    if !may_answer(packet) || packet.l3 > ETHERNET {
        return Err(HelperFailed);
    }
    let reset = Reset::of(&skb, packet).map_err(|TooShort| HelperFailed)?;
    // Past the old TCP header's first bytes, and even as sums have it.
    let old = packet.l4.wrapping_add(2);
    let new = size(size_of::<A::Header>()).wrapping_add(TCP);
    skb.set_len(packet.l3.wrapping_add(old).wrapping_add(new))?;
    skb.take_out(old)?;
    turn_round(skb, framing)?;
    write_ip(skb, packet)?;
    write_tcp(skb, packet, &reset)?;
    Ok(skb.send_back())
}

// Not inlined: the stack has no room for both headers at a time.
#[inline(never)]
fn write_ip<A: Stored>(skb: Skb, packet: &Packet<A>) -> Result<(), HelperFailed> {
    skb.store(packet.l3, Reset::ip(packet), BPF_F_RECOMPUTE_CSUM)
}

// Not inlined: as above.
#[inline(never)]
fn write_tcp<A: Stored>(skb: Skb, packet: &Packet<A>, reset: &Reset) -> Result<(), HelperFailed> {
    let at = packet.l3.wrapping_add(size(size_of::<A::Header>()));
    skb.store(at, reset.tcp(packet), BPF_F_RECOMPUTE_CSUM)
}
