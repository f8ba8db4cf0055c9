//! ICMP errors made of the packets they are about, and sent back where those came from.
//!
//! ```text
//! Ethernet | IP | TCP ...                    cut to what is quoted
//! Ethernet | room | IP | TCP ...             the device's header moves to the front
//! Ethernet | IP  ICMP | IP | TCP ...         the new headers fill the room
//! ```
//!
//! It leaves by the device it came in by: the host side of a pod's link, so towards the pod.

use aya_ebpf::bindings::BPF_F_RECOMPUTE_CSUM;
use dataplane_common::flow::Answer;
use dataplane_common::packet::{
    self, Bytes as _, Framing, Headers, Packet, TooShort, may_answer, quote,
};

use super::{HelperFailed, Skb, size};
use crate::family::Stored;

/// Bytes of the two hardware addresses of an Ethernet header.
const ADDRESSES: usize = 12;
/// Bytes of an Ethernet header without tags.
pub(super) const ETHERNET: u32 = 14;

/// Turns a packet into an ICMP error about it; the action to return.
// Not inlined: rare, and its stack is needed elsewhere.
#[inline(never)]
pub(crate) fn answer<A: Stored>(
    skb: Skb,
    packet: &Packet<A>,
    framing: Framing,
    answer: &Answer,
) -> Result<i32, HelperFailed> {
    // Before tags the kernel makes no room. No stack of a pod sends any.
    if !may_answer(packet) || packet.l3 > ETHERNET {
        return Err(HelperFailed);
    }
    let quote = quote(&skb, packet).map_err(|TooShort| HelperFailed)?;
    let headers = packet::answer(packet, *answer, quote);
    // Also without anything to cut: it makes one packet of a segmentation-offload one.
    skb.set_len(packet.l3.wrapping_add(quote.length))?;
    let room = size(headers.ip.as_ref().len()).wrapping_add(size(headers.icmp.len()));
    skb.make_room(room)?;
    turn_round(skb, framing)?;
    write(skb, packet.l3, &headers)?;
    Ok(skb.send_back())
}

/// Exchanges the hardware addresses, if there are any.
#[inline(always)]
pub(super) fn turn_round(skb: Skb, framing: Framing) -> Result<(), HelperFailed> {
    if matches!(framing, Framing::Ip) {
        return Ok(());
    }
    let addresses: [u8; ADDRESSES] = skb.read(0).map_err(|TooShort| HelperFailed)?;
    let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5] = addresses;
    skb.store(0, [s0, s1, s2, s3, s4, s5, d0, d1, d2, d3, d4, d5], 0)
}

#[inline(always)]
fn write<A: Stored>(skb: Skb, l3: u32, headers: &Headers<A>) -> Result<(), HelperFailed> {
    let ip = headers.ip.as_ref();
    skb.store(l3, ip, BPF_F_RECOMPUTE_CSUM)?;
    let icmp = l3.wrapping_add(size(ip.len()));
    skb.store(icmp, headers.icmp, BPF_F_RECOMPUTE_CSUM)
}
