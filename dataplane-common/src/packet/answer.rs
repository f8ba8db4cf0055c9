//! ICMP errors that we send ourselves: when one may be sent, what it quotes, and its headers.
//!
//! An answer is the headers made here, followed by the first bytes of the packet it is about. The
//! quote lies in the packet already, so only its length and its sum are needed.

use super::{Bytes, Checksum, IpAddress, Packet, Sum, TooShort, Transport, icmp, ip::IcmpError};
use crate::flow::Answer;

/// Bytes that a quote has at most: enough for options, ports, sequence number and what tells a
/// reader of a trace what it was; far from the limits of RFC 1812 (576) and RFC 4443 (1280).
pub const QUOTE_MAX: u32 = 128;

/// Bytes of the transport header that receivers need to find the socket (RFC 792).
const QUOTED_L4: u32 = 8;
/// Quotes are summed in words of this size, without a rest.
const WORD: u32 = 4;
/// Words in the longest quote.
const WORDS_MAX: u32 = 32;

const _: () = assert!(WORDS_MAX * WORD == QUOTE_MAX);

/// The beginning of a packet, as an answer to it quotes it.
#[derive(Clone, Copy, Debug)]
pub struct Quote {
    /// Bytes from the IP header on; a multiple of four.
    pub length: u32,
    /// Their sum.
    pub sum: Sum,
}

/// What an answer begins with; the quote follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers<A: IpAddress> {
    /// The IP header, without options or extensions.
    pub ip: A::Header,
    /// The ICMP header.
    pub icmp: [u8; 8],
}

/// Whether an ICMP error may be sent about the packet (RFC 1122, 3.2.2; RFC 4443, 2.4).
#[must_use]
#[inline(always)]
pub fn may_answer<A: IpAddress>(packet: &Packet<A>) -> bool {
    let about = match packet.transport {
        Transport::Icmp { kind, .. } => !A::icmp_forbids_answer(kind),
        Transport::LaterFragment => false,
        Transport::Tcp(_) | Transport::Sctp(_) | Transport::Udp { .. } | Transport::Other => true,
    };
    about && packet.key.src.is_one_host() && packet.key.dst.is_one_host()
}

/// Bytes that an answer quotes of the packet.
///
/// # Errors
/// [`TooShort`] where that holds too little of the transport header to be of use.
#[inline(always)]
pub fn quote_length<A: IpAddress, B: Bytes + ?Sized>(
    bytes: &B,
    packet: &Packet<A>,
) -> Result<u32, TooShort> {
    let room = packet.end(bytes).wrapping_sub(packet.l3);
    let length = room.min(QUOTE_MAX) & !(WORD.wrapping_sub(1));
    let needed = packet.l4.wrapping_sub(packet.l3).wrapping_add(QUOTED_L4);
    if length < needed { Err(TooShort) } else { Ok(length) }
}

/// Sums what an answer quotes of the packet.
///
/// # Errors
/// As [`quote_length`].
#[inline(always)]
pub fn quote<A: IpAddress, B: Bytes + ?Sized>(
    bytes: &B,
    packet: &Packet<A>,
) -> Result<Quote, TooShort> {
    let length = quote_length(bytes, packet)?;
    let mut sum = Sum::ZERO;
    let mut at = 0;
    // Bounded loops need Linux 5.3.
    for _ in 0..WORDS_MAX {
        if at >= length {
            break;
        }
        let word: [u8; 4] = bytes.read(packet.l3.wrapping_add(at))?;
        sum = sum.plus(Sum::of(&word));
        at = at.wrapping_add(WORD);
    }
    Ok(Quote { length, sum })
}

/// The headers of an answer, from the packet's own destination back to its source.
#[must_use]
#[inline(always)]
pub fn answer<A: IpAddress>(packet: &Packet<A>, answer: Answer, quote: Quote) -> Headers<A> {
    let (src, dst) = (packet.key.dst, packet.key.src);
    let length = quote.length.wrapping_add(icmp::SIZE);
    let addresses = if A::ICMP_COVERS_ADDRESSES {
        Sum::pseudo_header(src, dst, A::ICMP, length)
    } else {
        Sum::ZERO
    };
    let IcmpError { kind, code, rest: [r0, r1, r2, r3] } = A::icmp_error(answer);
    let icmp = |Checksum([c0, c1])| [kind, code, c0, c1, r0, r1, r2, r3];
    let sum = Sum::of(&icmp(Checksum::NONE)).plus(quote.sum).plus(addresses);
    Headers { ip: A::own_header(A::ICMP, src, dst, length), icmp: icmp(sum.checksum()) }
}
