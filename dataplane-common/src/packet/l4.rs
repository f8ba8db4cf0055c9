//! The transport headers: TCP (RFC 9293), UDP (RFC 768) and the first bytes of ICMP.

use super::{
    Bytes, ParseError, TcpFlags, Transport,
    bytes::read_within,
    ip::{IpAddress, Payload},
};
use crate::abi::{Port, Proto};

/// Bytes of a TCP header without options.
const TCP_MIN_SIZE: u32 = 20;

/// A transport header's part of a flow's key, and what else decisions need of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct L4 {
    /// Source port; zero where there is none.
    pub(super) sport: Port,
    /// Destination port; zero where there is none.
    pub(super) dport: Port,
    /// What kind of header it is.
    pub(super) transport: Transport,
}

/// Reads the transport header of a packet that ends at `end`.
#[inline(always)]
pub(super) fn transport<A: IpAddress, B: Bytes + ?Sized>(
    bytes: &B,
    payload: Payload,
    end: u32,
) -> Result<L4, ParseError> {
    let Payload { proto, l4, later_fragment } = payload;
    if later_fragment {
        return Ok(without_ports(Transport::LaterFragment));
    }
    match proto {
        Proto::TCP => tcp(bytes, l4, end),
        Proto::UDP => udp(bytes, l4, end),
        icmp if icmp == A::ICMP => {
            let [kind, code, ..]: [u8; 4] = read_within(bytes, l4, end)?;
            Ok(without_ports(Transport::Icmp { kind, code }))
        }
        _ => Ok(without_ports(Transport::Other)),
    }
}

#[inline(always)]
fn tcp<B: Bytes + ?Sized>(bytes: &B, l4: u32, end: u32) -> Result<L4, ParseError> {
    let header: [u8; 20] = read_within(bytes, l4, end)?;
    let [s0, s1, d0, d1, _, _, _, _, _, _, _, _, offset, flags, ..] = header;
    let size = u32::from(offset >> 4).wrapping_mul(4);
    if size < TCP_MIN_SIZE || size > end.wrapping_sub(l4) {
        return Err(ParseError::BadTcpHeader);
    }
    let transport = Transport::Tcp(TcpFlags(flags));
    Ok(L4 { sport: Port([s0, s1]), dport: Port([d0, d1]), transport })
}

#[inline(always)]
fn udp<B: Bytes + ?Sized>(bytes: &B, l4: u32, end: u32) -> Result<L4, ParseError> {
    let [s0, s1, d0, d1, _, _, checksum @ ..]: [u8; 8] = read_within(bytes, l4, end)?;
    let transport = Transport::Udp { checksum: checksum != [0; 2] };
    Ok(L4 { sport: Port([s0, s1]), dport: Port([d0, d1]), transport })
}

#[inline(always)]
const fn without_ports(transport: Transport) -> L4 {
    L4 { sport: Port([0; 2]), dport: Port([0; 2]), transport }
}

/// Where the checksum stands in the transport header of a protocol, as far as it is known here.
#[must_use]
#[inline(always)]
pub fn checksum_offset(proto: Proto) -> Option<u32> {
    match proto {
        Proto::TCP => Some(16),
        Proto::UDP => Some(6),
        Proto::ICMP | Proto::ICMPV6 => Some(2),
        _ => None,
    }
}
