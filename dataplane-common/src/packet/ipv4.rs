//! The IPv4 header (RFC 791).

use super::{
    Bytes, BytesMut, Checksum, ParseError, Sum, TooShort, icmp,
    ip::{IcmpError, IpAddress, IpHeader, OWN_TTL, Payload},
};
use crate::{abi::Proto, flow::Answer};

/// Flag: do not fragment.
const DONT_FRAGMENT: u16 = 0x4000;
/// Where the datagram's identification stands.
const IDENTIFICATION: u32 = 4;
/// Flag: more fragments follow.
const MORE_FRAGMENTS: u16 = 0x2000;
/// The fragment's offset, in units of eight bytes.
const FRAGMENT_OFFSET: u16 = 0x1fff;
/// Bytes of a header without options.
const MIN_SIZE: u32 = 20;
/// First byte of a header without options: version and size.
const VERSION_AND_SIZE: u8 = 0x45;
/// Type of service of ICMP errors: internetwork control (RFC 1812, 4.3.2.5).
const CONTROL: u8 = 0xc0;

impl IpAddress for [u8; 4] {
    type Header = [u8; 20];

    const ICMP: Proto = Proto::ICMP;
    const ECHO: u8 = 8;
    const ADDRESSES: u32 = 12;
    const TTL: u32 = 8;
    const HEADER_CHECKSUM: Option<u32> = Some(10);
    const ICMP_COVERS_ADDRESSES: bool = false;

    #[inline(always)]
    fn header<B: Bytes + ?Sized>(bytes: &B, l3: u32) -> Result<IpHeader<Self>, ParseError> {
        let fixed: [u8; 20] = bytes.read(l3)?;
        let ([[first, _, length @ ..], [_, _, fragment @ ..], [ttl, proto, _, _], src, dst], []) =
            fixed.as_chunks::<4>()
        else {
            return Err(ParseError::TooShort);
        };
        let size = u32::from(first & 0x0f).wrapping_mul(4);
        if first >> 4 != 4 || size < MIN_SIZE {
            return Err(ParseError::BadIpv4Header);
        }
        let fragment = u16::from_be_bytes(*fragment);
        let length = u32::from(u16::from_be_bytes(*length));
        Ok(IpHeader {
            src: *src,
            dst: *dst,
            proto: Proto(*proto),
            size,
            length,
            unstated: length == 0,
            ttl: *ttl,
            may_fragment: fragment & DONT_FRAGMENT == 0,
            later_fragment: fragment & FRAGMENT_OFFSET != 0,
            more_fragments: fragment & MORE_FRAGMENTS,
        })
    }

    #[inline(always)]
    fn payload<B: Bytes + ?Sized>(
        header: &IpHeader<Self>,
        _bytes: &B,
        l3: u32,
        _end: u32,
    ) -> Result<Payload, ParseError> {
        Ok(Payload {
            proto: header.proto,
            l4: l3.wrapping_add(header.size),
            later_fragment: header.later_fragment,
            more_fragments: header.more_fragments,
        })
    }

    #[inline(always)]
    fn identification<B: Bytes + ?Sized>(
        bytes: &B,
        l3: u32,
        _l4: u32,
    ) -> Result<[u8; 4], TooShort> {
        let [id0, id1] = bytes.read(l3.wrapping_add(IDENTIFICATION))?;
        Ok([0, 0, id0, id1])
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
        let [s0, s1, s2, s3] = src;
        let [d0, d1, d2, d3] = dst;
        bytes.write(l3.wrapping_add(Self::ADDRESSES), [s0, s1, s2, s3, d0, d1, d2, d3])
    }

    /// By RFC 1122, 3.2.2: not zero, loopback, multicast, class E or broadcast.
    #[inline(always)]
    fn is_one_host(self) -> bool {
        let [first, ..] = self;
        first != 0 && first != 127 && first < 224
    }

    #[inline(always)]
    fn icmp_quotes(kind: u8) -> bool {
        icmp::v4::is_error(kind)
    }

    /// Who is on the link is asked by ARP.
    #[inline(always)]
    fn is_of_link(_src: Self, _dst: Self) -> bool {
        false
    }

    #[inline(always)]
    fn icmp_serves_link(_kind: u8) -> bool {
        false
    }

    #[inline(always)]
    fn icmp_forbids_answer(kind: u8) -> bool {
        icmp::v4::forbids_answer(kind)
    }

    #[inline(always)]
    fn icmp_error(answer: Answer) -> IcmpError {
        let (code, mtu) = match answer {
            Answer::TooBig { mtu } => (icmp::v4::FRAGMENTATION_NEEDED, mtu),
            Answer::PortUnreachable => (icmp::v4::PORT_UNREACHABLE, 0),
        };
        let [m0, m1] = u16::try_from(mtu).unwrap_or(u16::MAX).to_be_bytes();
        IcmpError { kind: icmp::v4::UNREACHABLE, code, rest: [0, 0, m0, m1] }
    }

    #[inline(always)]
    fn own_header(proto: Proto, src: Self, dst: Self, length: u32) -> Self::Header {
        let [_, _, l0, l1] = length.wrapping_add(MIN_SIZE).to_be_bytes();
        // What is not to be fragmented needs no identification (RFC 6864).
        let [f0, f1] = DONT_FRAGMENT.to_be_bytes();
        let service = if proto == Self::ICMP { CONTROL } else { 0 };
        let Proto(proto) = proto;
        let [s0, s1, s2, s3] = src;
        let [d0, d1, d2, d3] = dst;
        #[rustfmt::skip]
        let header = |Checksum([c0, c1])| [
            VERSION_AND_SIZE, service, l0, l1,
            0, 0, f0, f1,
            OWN_TTL, proto, c0, c1,
            s0, s1, s2, s3,
            d0, d1, d2, d3,
        ];
        header(Sum::of(&header(Checksum::NONE)).checksum())
    }
}
