//! The IPv6 header and its extension headers (RFC 8200).

use super::{
    Bytes, BytesMut, ParseError, Sum, TooShort,
    bytes::read_within,
    icmp,
    ip::{IcmpError, IpAddress, IpHeader, OWN_TTL, Payload},
};
use crate::{
    abi::{Address as _, Proto},
    flow::Answer,
};

/// Bytes of the fixed header.
const SIZE: u32 = 40;
/// First byte of the header: version, no traffic class.
const VERSION: u8 = 0x60;

/// Headers looked at: the six extensions RFC 8200 recommends at most before an upper layer that can
/// be read, and that upper layer.
const MAX_HEADERS: u32 = 7;

/// Hop-by-hop options.
const HOP_BY_HOP: u8 = 0;
/// Routing.
const ROUTING: u8 = 43;
/// Fragment.
const FRAGMENT: u8 = 44;
/// Authentication (RFC 4302).
const AUTHENTICATION: u8 = 51;
/// Destination options.
const DESTINATION: u8 = 60;
/// Mobility (RFC 6275).
const MOBILITY: u8 = 135;
/// Host identity protocol (RFC 7401).
const HOST_IDENTITY: u8 = 139;
/// Shim6 (RFC 5533).
const SHIM6: u8 = 140;

/// The offset bits of a fragment header's third and fourth byte.
const FRAGMENT_OFFSET: u16 = 0xfff8;
/// How far before its end a fragment header has the datagram's identification.
const IDENTIFICATION: u32 = 4;
/// The bit behind them: more fragments follow.
const MORE_FRAGMENTS: u16 = 0x0001;

impl IpAddress for [u8; 16] {
    type Header = [u8; 40];

    const ICMP: Proto = Proto::ICMPV6;
    const ECHO: u8 = 128;
    const ADDRESSES: u32 = 8;
    const TTL: u32 = 7;
    const HEADER_CHECKSUM: Option<u32> = None;
    const ICMP_COVERS_ADDRESSES: bool = true;

    #[inline(always)]
    fn header<B: Bytes + ?Sized>(bytes: &B, l3: u32) -> Result<IpHeader<Self>, ParseError> {
        let fixed: [u8; 40] = bytes.read(l3)?;
        let [first, _, _, _, length0, length1, next, ttl, addresses @ ..] = fixed;
        let ([src, dst], []) = addresses.as_chunks() else {
            return Err(ParseError::TooShort);
        };
        if first >> 4 != 6 {
            return Err(ParseError::BadIpv6Header);
        }
        let stated = u32::from(u16::from_be_bytes([length0, length1]));
        Ok(IpHeader {
            src: *src,
            dst: *dst,
            proto: Proto(next),
            size: SIZE,
            length: SIZE.wrapping_add(stated),
            unstated: stated == 0,
            ttl,
            may_fragment: false,
            later_fragment: false,
            more_fragments: 0,
        })
    }

    #[inline(always)]
    fn payload<B: Bytes + ?Sized>(
        header: &IpHeader<Self>,
        bytes: &B,
        l3: u32,
        end: u32,
    ) -> Result<Payload, ParseError> {
        let mut proto = header.proto;
        let mut l4 = l3.wrapping_add(SIZE);
        let mut more_fragments = header.more_fragments;
        // Bounded loops need Linux 5.3.
        for _ in 0..MAX_HEADERS {
            if !is_extension(proto) {
                return Ok(Payload { proto, l4, later_fragment: false, more_fragments });
            }
            // No extension header is shorter than eight bytes.
            let [next, length, place0, place1, ..]: [u8; 8] = read_within(bytes, l4, end)?;
            l4 = l4.wrapping_add(extension_size(proto, length));
            let place = u16::from_be_bytes([place0, place1]);
            let is_fragment = proto.0 == FRAGMENT;
            proto = Proto(next);
            if is_fragment {
                more_fragments = place & MORE_FRAGMENTS;
                if place & FRAGMENT_OFFSET != 0 {
                    return Ok(Payload { proto, l4, later_fragment: true, more_fragments });
                }
            }
        }
        Err(ParseError::TooManyExtensions)
    }

    /// The fragment header is the last before a later fragment's bytes, and as a rule before the
    /// transport header.
    #[inline(always)]
    fn identification<B: Bytes + ?Sized>(
        bytes: &B,
        _l3: u32,
        l4: u32,
    ) -> Result<[u8; 4], TooShort> {
        bytes.read(l4.wrapping_sub(IDENTIFICATION))
    }

    #[inline(always)]
    fn sum(self) -> Sum {
        Sum::of(&self)
    }

    #[inline(always)]
    fn diff(self, to: Self) -> Sum {
        Sum::diff(&self, &to)
    }

    #[inline(always)]
    fn write_addresses<B: BytesMut + ?Sized>(
        bytes: &mut B,
        l3: u32,
        src: Self,
        dst: Self,
    ) -> Result<(), TooShort> {
        let at = l3.wrapping_add(Self::ADDRESSES);
        bytes.write(at.wrapping_add(16), dst)?;
        bytes.write(at, src)
    }

    /// By RFC 4443, 2.4: not unspecified, loopback or multicast.
    #[inline(always)]
    fn is_one_host(self) -> bool {
        let [first, middle @ .., last] = self;
        first != 0xff && (first != 0 || middle != [0; 14] || last > 1)
    }

    #[inline(always)]
    fn icmp_quotes(kind: u8) -> bool {
        icmp::v6::is_known_error(kind)
    }

    /// By RFC 4291, 2.5.6 and 2.7, and RFC 4861, 4.3: from a link-local address or none to a
    /// link-local one or a group of the link.
    #[inline(always)]
    fn is_of_link(src: Self, dst: Self) -> bool {
        let is_local = |[first, second, ..]: Self| first == 0xfe && second & 0xc0 == 0x80;
        let is_group = |[first, second, ..]: Self| first == 0xff && second & 0x0f == 2;
        (is_local(src) || src == Self::ANY) && (is_local(dst) || is_group(dst))
    }

    #[inline(always)]
    fn icmp_serves_link(kind: u8) -> bool {
        icmp::v6::serves_link(kind)
    }

    #[inline(always)]
    fn icmp_forbids_answer(kind: u8) -> bool {
        icmp::v6::forbids_answer(kind)
    }

    #[inline(always)]
    fn icmp_error(answer: Answer) -> IcmpError {
        match answer {
            Answer::TooBig { mtu } => {
                IcmpError { kind: icmp::v6::TOO_BIG, code: 0, rest: mtu.to_be_bytes() }
            }
            Answer::PortUnreachable => IcmpError {
                kind: icmp::v6::UNREACHABLE,
                code: icmp::v6::PORT_UNREACHABLE,
                rest: [0; 4],
            },
        }
    }

    #[inline(always)]
    fn own_header(proto: Proto, src: Self, dst: Self, length: u32) -> Self::Header {
        let mut header = [0; 40];
        let [version, _, _, _, length0, length1, next, ttl, addresses @ ..] = &mut header;
        *version = VERSION;
        [_, _, *length0, *length1] = length.to_be_bytes();
        *next = proto.0;
        *ttl = OWN_TTL;
        if let ([first, second], []) = addresses.as_chunks_mut() {
            (*first, *second) = (src, dst);
        }
        header
    }
}

#[inline(always)]
const fn is_extension(proto: Proto) -> bool {
    matches!(
        proto.0,
        HOP_BY_HOP
            | ROUTING
            | FRAGMENT
            | AUTHENTICATION
            | DESTINATION
            | MOBILITY
            | HOST_IDENTITY
            | SHIM6
    )
}

/// Bytes of an extension header by its length field, which fragment headers keep at zero.
#[inline(always)]
fn extension_size(proto: Proto, length: u8) -> u32 {
    let length = u32::from(length);
    match proto.0 {
        FRAGMENT => 8,
        AUTHENTICATION => length.wrapping_add(2).wrapping_mul(4),
        _ => length.wrapping_add(1).wrapping_mul(8),
    }
}
