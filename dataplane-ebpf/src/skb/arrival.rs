//! What is known of a packet beside its bytes.

use dataplane_common::abi::Delivery;
use dataplane_common::flow::{Arrival, Departure, Ingress};
use dataplane_common::packet::{Bytes as _, Packet, Transport};

use super::Skb;
use crate::config::config;
use crate::family::Stored;

/// Where a TCP header states its size.
const TCP_DATA_OFFSET: u32 = 12;
const UDP_SIZE: u32 = 8;

/// How a packet arrived at a hook that it comes in by.
#[inline(always)]
pub(crate) fn arrival<A: Stored>(skb: &Skb, packet: &Packet<A>, by: Ingress) -> Arrival {
    Arrival {
        by,
        ifindex: skb.ifindex(),
        segment: segment(skb, packet),
        delivery: Delivery::from_number(config().delivery),
    }
}

/// How a packet reached a hook that it leaves by.
#[inline(always)]
pub(crate) fn departure(skb: &Skb) -> Departure {
    Departure { own_socket: skb.has_socket() }
}

/// Bytes of the largest IP packet a socket buffer stands for on the wire.
#[inline(always)]
fn segment<A: Stored>(skb: &Skb, packet: &Packet<A>) -> u32 {
    let payload = skb.gso_size();
    if payload == 0 {
        return packet.end(skb).wrapping_sub(packet.l3);
    }
    let transport = match packet.transport {
        Transport::Tcp(_) => tcp_size(skb, packet.l4),
        Transport::Udp { .. } => UDP_SIZE,
        // Cut by its sender to what its path takes; how much that is, nobody says.
        Transport::Sctp(_) => return 0,
        // Nothing else is compared with an MTU.
        Transport::Icmp { .. } | Transport::LaterFragment | Transport::Other => 0,
    };
    let headers = packet.l4.wrapping_sub(packet.l3).wrapping_add(transport);
    headers.wrapping_add(payload)
}

#[inline(always)]
fn tcp_size(skb: &Skb, l4: u32) -> u32 {
    let [offset] = skb.read(l4.wrapping_add(TCP_DATA_OFFSET)).unwrap_or_default();
    u32::from(offset >> 4).wrapping_mul(4)
}
