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

use super::{HelperFailed, Skb};
use crate::family::Stored;

/// Bytes of the two hardware addresses of an Ethernet header.
const ADDRESSES: u32 = 12;
/// Bytes of an Ethernet header without tags, and of one tag.
const ETHERNET: u32 = 14;
const TAG: u32 = 4;

/// Turns a packet into an ICMP error about it; the action to return.
// Not inlined: rare, and its stack is needed elsewhere.
#[inline(never)]
pub(crate) fn answer<A: Stored>(
    skb: Skb,
    packet: &Packet<A>,
    framing: Framing,
    answer: &Answer,
) -> Result<i32, HelperFailed> {
    if !may_answer(packet) {
        return Err(HelperFailed);
    }
    let quote = quote(&skb, packet).map_err(|TooShort| HelperFailed)?;
    let headers = packet::answer(packet, *answer, quote);
    // Also without anything to cut: it makes one packet of a segmentation-offload one.
    skb.set_len(packet.l3.wrapping_add(quote.length))?;
    let room = (headers.ip.as_ref().len() as u32).wrapping_add(headers.icmp.len() as u32);
    skb.make_room(room)?;
    match framing {
        Framing::Ethernet => turn_round(skb, packet.l3, room)?,
        Framing::Ip => {}
    }
    write(skb, packet.l3, &headers)?;
    Ok(skb.send_back())
}

/// Brings VLAN tags, which the room has cut off, behind the addresses, and exchanges those.
#[inline(always)]
fn turn_round(skb: Skb, l3: u32, room: u32) -> Result<(), HelperFailed> {
    for tag in [ETHERNET, ETHERNET.wrapping_add(TAG)] {
        if tag < l3 {
            let cut_off: [u8; TAG as usize] = read(skb, tag.wrapping_add(room))?;
            skb.store(tag, cut_off, 0)?;
        }
    }
    let [d0, d1, d2, d3, d4, d5, s @ ..]: [u8; ADDRESSES as usize] = read(skb, 0)?;
    let [s0, s1, s2, s3, s4, s5] = s;
    skb.store(0, [s0, s1, s2, s3, s4, s5, d0, d1, d2, d3, d4, d5], 0)
}

#[inline(always)]
fn read<const N: usize>(skb: Skb, offset: u32) -> Result<[u8; N], HelperFailed> {
    skb.read(offset).map_err(|TooShort| HelperFailed)
}

#[inline(always)]
fn write<A: Stored>(skb: Skb, l3: u32, headers: &Headers<A>) -> Result<(), HelperFailed> {
    let ip = headers.ip.as_ref();
    skb.store(l3, ip, BPF_F_RECOMPUTE_CSUM)?;
    let icmp = l3.wrapping_add(ip.len() as u32);
    skb.store(icmp, headers.icmp, BPF_F_RECOMPUTE_CSUM)
}
