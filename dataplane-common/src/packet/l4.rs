//! The transport headers: TCP (RFC 9293), UDP (RFC 768), SCTP (RFC 9260) and the first bytes of ICMP.

use super::{
    Bytes, ParseError, TcpFlags, Transport,
    bytes::read_within,
    ip::{IpAddress, Payload},
};
use crate::abi::{Port, Proto};

/// Bytes of a TCP header without options.
const TCP_MIN_SIZE: u32 = 20;

/// What an SCTP chunk's length counts at least.
const CHUNK_MIN_SIZE: u16 = 4;
/// Types of SCTP chunks (RFC 9260, 3.2).
const INIT: u32 = 1;
const INIT_ACK: u32 = 2;
const ABORT: u32 = 6;
const SHUTDOWN: u32 = 7;
const SHUTDOWN_ACK: u32 = 8;
const SHUTDOWN_COMPLETE: u32 = 14;

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
        Proto::SCTP => sctp(bytes, l4, end, found),
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

#[inline(always)]
fn sctp<B: Bytes + ?Sized>(bytes: &B, l4: u32, end: u32, found: &mut L4) -> Result<(), ParseError> {
    let header: [u8; 16] = read_within(bytes, l4, end)?;
    let [s0, s1, d0, d1, _, _, _, _, _, _, _, _, chunk, _, n0, n1] = header;
    if u16::from_be_bytes([n0, n1]) < CHUNK_MIN_SIZE {
        return Err(ParseError::BadSctpChunk);
    }
    found.sport = Port([s0, s1]);
    found.dport = Port([d0, d1]);
    found.transport = Transport::Sctp(meaning(chunk));
    Ok(())
}

/// The TCP flags that mean what an SCTP chunk means to the association. Looked up and not decided
/// about: each decision would be one more way that the verifier has to go.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "four bits are kept")]
const fn meaning(chunk: u8) -> TcpFlags {
    let is_known = ((chunk as u32 >> 4).wrapping_sub(1) >> 31) as u8;
    let bits = (MEANINGS >> ((chunk & 0xf) as u32).wrapping_mul(4)) as u8 & 0xf;
    let flags = bits & 0b111 | (bits & 0b1000) << 1;
    TcpFlags(flags.wrapping_mul(is_known))
}

/// Four bits for each of the first 16 types of chunks: FIN, SYN, RST and ACK.
const MEANINGS: u64 = 0b0010 << (4 * INIT)
    | 0b1010 << (4 * INIT_ACK)
    | 0b0100 << (4 * ABORT)
    | 0b0001 << (4 * SHUTDOWN)
    | 0b0001 << (4 * SHUTDOWN_ACK)
    | 0b0001 << (4 * SHUTDOWN_COMPLETE);

/// Where the checksum stands in the transport header of a protocol, as far as it can be updated: SCTP's
/// cannot be.
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
