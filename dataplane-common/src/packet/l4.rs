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

impl L4 {
    /// What is there before the header is read.
    ///
    /// The variant with the most fields, so that every byte has a value whatever replaces it: the
    /// verifier refuses programs that copy bytes nobody has written, as bytes of a longer variant
    /// are.
    pub(super) const UNREAD: Self = Self {
        sport: Port([0; 2]),
        dport: Port([0; 2]),
        transport: Transport::Icmp { kind: 0, code: 0 },
    };
}

/// Reads the transport header of a packet that ends at `end` into `found`.
#[inline(always)]
pub(super) fn transport<A: IpAddress, B: Bytes + ?Sized>(
    bytes: &B,
    payload: Payload,
    end: u32,
    found: &mut L4,
) -> Result<(), ParseError> {
    let Payload { proto, l4, later_fragment, .. } = payload;
    if later_fragment {
        found.transport = Transport::LaterFragment;
        return Ok(());
    }
    match proto {
        Proto::TCP => tcp(bytes, l4, end, found),
        Proto::UDP => udp(bytes, l4, end, found),
        icmp if icmp == A::ICMP => {
            let [kind, code, ..]: [u8; 4] = read_within(bytes, l4, end)?;
            found.transport = Transport::Icmp { kind, code };
            Ok(())
        }
        _ => {
            found.transport = Transport::Other;
            Ok(())
        }
    }
}

#[inline(always)]
fn tcp<B: Bytes + ?Sized>(bytes: &B, l4: u32, end: u32, found: &mut L4) -> Result<(), ParseError> {
    let header: [u8; 20] = read_within(bytes, l4, end)?;
    let [s0, s1, d0, d1, _, _, _, _, _, _, _, _, offset, flags, ..] = header;
    let size = u32::from(offset >> 4).wrapping_mul(4);
    if size < TCP_MIN_SIZE || size > end.wrapping_sub(l4) {
        return Err(ParseError::BadTcpHeader);
    }
    found.sport = Port([s0, s1]);
    found.dport = Port([d0, d1]);
    found.transport = Transport::Tcp(TcpFlags(flags));
    Ok(())
}

#[inline(always)]
fn udp<B: Bytes + ?Sized>(bytes: &B, l4: u32, end: u32, found: &mut L4) -> Result<(), ParseError> {
    let [s0, s1, d0, d1, _, _, checksum @ ..]: [u8; 8] = read_within(bytes, l4, end)?;
    found.sport = Port([s0, s1]);
    found.dport = Port([d0, d1]);
    found.transport = Transport::Udp { checksum: checksum != [0; 2] };
    Ok(())
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
