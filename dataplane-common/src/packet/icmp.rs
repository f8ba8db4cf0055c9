//! ICMP (RFC 792) and ICMPv6 (RFC 4443): which messages are errors, and the packet an error quotes.

use super::{Bytes, Packet, ParseError, Transport, bytes::read_within, ip::IpAddress};
use crate::abi::{FlowKey, Port, Proto};

/// Bytes of an error's own header; the quoted packet follows.
pub(super) const SIZE: u32 = 8;

/// Types and codes of IPv4's ICMP.
pub(super) mod v4 {
    /// Destination unreachable.
    pub(in super::super) const UNREACHABLE: u8 = 3;
    /// Code of [`UNREACHABLE`]: nobody listens at the port.
    pub(in super::super) const PORT_UNREACHABLE: u8 = 3;
    /// Code of [`UNREACHABLE`]: too big for the next hop and not to be fragmented.
    pub(in super::super) const FRAGMENTATION_NEEDED: u8 = 4;
    const SOURCE_QUENCH: u8 = 4;
    const REDIRECT: u8 = 5;
    const TIME_EXCEEDED: u8 = 11;
    const PARAMETER_PROBLEM: u8 = 12;

    /// Whether a message of this type is an error about a packet. A redirect is not: it tells the
    /// way to the quoted destination, which is none to what stood there before.
    #[inline(always)]
    pub(in super::super) const fn is_error(kind: u8) -> bool {
        matches!(kind, UNREACHABLE | SOURCE_QUENCH | TIME_EXCEEDED | PARAMETER_PROBLEM)
    }

    /// Whether RFC 1122, 3.2.2 forbids to answer a message of this type.
    #[inline(always)]
    pub(in super::super) const fn forbids_answer(kind: u8) -> bool {
        is_error(kind) || kind == REDIRECT
    }
}

/// Types and codes of ICMPv6.
pub(super) mod v6 {
    /// Destination unreachable.
    pub(in super::super) const UNREACHABLE: u8 = 1;
    /// Code of [`UNREACHABLE`]: nobody listens at the port.
    pub(in super::super) const PORT_UNREACHABLE: u8 = 4;
    /// Packet too big.
    pub(in super::super) const TOO_BIG: u8 = 2;
    const TIME_EXCEEDED: u8 = 3;
    const PARAMETER_PROBLEM: u8 = 4;
    const FIRST_INFORMATIONAL: u8 = 128;
    const ECHO: u8 = 128;
    const ECHO_REPLY: u8 = 129;
    const LISTENER_REPORT: u8 = 131;
    const LISTENER_DONE: u8 = 132;
    const ROUTER_SOLICITATION: u8 = 133;
    const NEIGHBOUR_SOLICITATION: u8 = 135;
    const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
    const REDIRECT: u8 = 137;
    const LISTENER_REPORT_2: u8 = 143;

    /// Whether a message of this type is an error whose format is known.
    #[inline(always)]
    pub(in super::super) const fn is_known_error(kind: u8) -> bool {
        matches!(kind, UNREACHABLE | TOO_BIG | TIME_EXCEEDED | PARAMETER_PROBLEM)
    }

    /// Whether hosts, and not routers alone, send messages of this type to each other on their link
    /// (RFC 4443, 4; RFC 2710, 3; RFC 3810, 5; RFC 4861, 4).
    #[inline(always)]
    pub(in super::super) const fn serves_link(kind: u8) -> bool {
        matches!(
            kind,
            ECHO | ECHO_REPLY
                | LISTENER_REPORT
                | LISTENER_DONE
                | ROUTER_SOLICITATION
                | NEIGHBOUR_SOLICITATION
                | NEIGHBOUR_ADVERTISEMENT
                | LISTENER_REPORT_2
        )
    }

    /// Whether RFC 4443, 2.4(e) forbids to answer a message of this type.
    #[inline(always)]
    pub(in super::super) const fn forbids_answer(kind: u8) -> bool {
        kind < FIRST_INFORMATIONAL || kind == REDIRECT
    }
}

/// The packet with ports that an ICMP error is about, as far as every error quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Quoted<A> {
    /// The quoted tuple, in the direction the quoted packet went: opposite to the error's.
    pub key: FlowKey<A>,
    /// Where the quoted IP header begins, in bytes from the packet's begin.
    pub l3: u32,
    /// Where the quoted transport header begins; eight bytes of it are there.
    pub l4: u32,
}

/// Reads the packet that `packet` quotes.
///
/// # Errors
/// [`ParseError::NotAnIcmpError`] where it quotes none, [`ParseError::QuoteWithoutPorts`] where the
/// quote belongs to no flow that can be translated, and what a malformed quote gives.
#[inline(always)]
pub fn quoted<A: IpAddress, B: Bytes + ?Sized>(
    bytes: &B,
    packet: &Packet<A>,
) -> Result<Quoted<A>, ParseError> {
    let Transport::Icmp { kind, .. } = packet.transport else {
        return Err(ParseError::NotAnIcmpError);
    };
    if !A::icmp_quotes(kind) {
        return Err(ParseError::NotAnIcmpError);
    }
    let l3 = packet.l4.wrapping_add(SIZE);
    let end = packet.end(bytes);
    // The quote is cut: the length its header states says nothing about what is there.
    let header = A::header(bytes, l3)?;
    let payload = A::payload(&header, bytes, l3, end)?;
    if payload.later_fragment || !matches!(payload.proto, Proto::TCP | Proto::UDP | Proto::SCTP) {
        return Err(ParseError::QuoteWithoutPorts);
    }
    let begin: [u8; 8] = read_within(bytes, payload.l4, end)?;
    let ([sport, dport, ..], []) = begin.as_chunks::<2>() else {
        return Err(ParseError::TooShort);
    };
    let key = FlowKey {
        src: header.src,
        dst: header.dst,
        sport: Port(*sport),
        dport: Port(*dport),
        proto: payload.proto,
        reserved: [0; 3],
    };
    Ok(Quoted { key, l3, l4: payload.l4 })
}
