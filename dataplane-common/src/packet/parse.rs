//! From bytes to what decisions need: the flow's key and where its headers stand.

use super::{
    Bytes, IpAddress, TooShort, eth,
    ip::IpHeader,
    l4::{self, L4},
};
use crate::abi::{Address, Family, FlowKey};

/// How a packet begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// With an Ethernet header.
    Ethernet,
    /// With the IP header (tun, wireguard, ppp).
    Ip,
}

/// A packet that can be decided about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// IPv4.
    V4(Packet<[u8; 4]>),
    /// IPv6.
    V6(Packet<[u8; 16]>),
}

/// One IP packet of a family: its headers' places and the fields decisions depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<A> {
    /// Addresses, ports and protocol; ports are zero where [`Transport`] has none.
    pub key: FlowKey<A>,
    /// Where the IP header begins, in bytes from the packet's begin.
    pub l3: u32,
    /// Where the transport header begins.
    pub l4: u32,
    /// Bytes of the IP packet, headers included, as the IP header states them. Zero in a
    /// segmentation-offload packet beyond 64 KiB.
    pub length: u32,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Whether routers may fragment it: IPv4 without DF.
    pub may_fragment: bool,
    /// Not zero where more fragments of its datagram follow.
    pub more_fragments: u16,
    /// What follows the IP header.
    pub transport: Transport,
}

/// What follows the IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A TCP header.
    Tcp(TcpFlags),
    /// An SCTP header, with its first chunk as the TCP flags that mean the same.
    Sctp(TcpFlags),
    /// A UDP header, with whether it has a checksum.
    Udp {
        /// False where the checksum field is zero (IPv4: none was computed, RFC 768).
        checksum: bool,
    },
    /// ICMP or ICMPv6 with its type and code.
    Icmp {
        /// The type.
        kind: u8,
        /// The code.
        code: u8,
    },
    /// A fragment that is not the first: no transport header.
    LaterFragment,
    /// A protocol that has no ports known here.
    Other,
}

impl Transport {
    /// Whether it is of a connection that began before.
    #[must_use]
    #[inline(always)]
    pub const fn continues(self) -> bool {
        matches!(self, Self::Tcp(flags) | Self::Sctp(flags) if !flags.opens())
    }

    /// Whether it opens a connection.
    #[must_use]
    #[inline(always)]
    pub const fn opens(self) -> bool {
        matches!(self, Self::Tcp(flags) | Self::Sctp(flags) if flags.opens())
    }

    /// Whether it ends a connection by force.
    #[must_use]
    #[inline(always)]
    pub const fn resets(self) -> bool {
        matches!(self, Self::Tcp(flags) | Self::Sctp(flags) if flags.has(TcpFlags::RST))
    }

    /// Whether it may be what a flow with ports begins with.
    #[must_use]
    #[inline(always)]
    pub const fn begins(self) -> bool {
        match self {
            Self::Tcp(flags) | Self::Sctp(flags) => flags.opens(),
            Self::Udp { .. } => true,
            Self::Icmp { .. } | Self::LaterFragment | Self::Other => false,
        }
    }
}

/// TCP's flag byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// FIN.
    pub const FIN: Self = Self(0x01);
    /// SYN.
    pub const SYN: Self = Self(0x02);
    /// RST.
    pub const RST: Self = Self(0x04);
    /// ACK.
    pub const ACK: Self = Self(0x10);

    /// Whether all of `flags` are set.
    #[must_use]
    #[inline(always)]
    pub const fn has(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// Whether the segment opens a connection.
    #[must_use]
    #[inline(always)]
    pub const fn opens(self) -> bool {
        self.has(Self::SYN) && !self.has(Self::ACK)
    }
}

impl<A: Address> Packet<A> {
    /// Whether the packet belongs to a flow that can be translated.
    #[must_use]
    #[inline(always)]
    pub const fn has_ports(&self) -> bool {
        matches!(self.transport, Transport::Tcp(_) | Transport::Sctp(_) | Transport::Udp { .. })
    }

    /// Whether it is the first fragment of a datagram that can be translated.
    #[must_use]
    #[inline(always)]
    pub const fn is_first_fragment(&self) -> bool {
        self.more_fragments != 0 && self.has_ports()
    }

    /// Where the IP packet ends, in bytes from the packet's begin: padding may follow.
    #[must_use]
    #[inline(always)]
    pub fn end<B: Bytes + ?Sized>(&self, bytes: &B) -> u32 {
        match self.length {
            0 => bytes.len(),
            length => self.l3.wrapping_add(length),
        }
    }
}

/// Why a packet is none that can be decided about. Each reason means: not ours, pass it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ParseError {
    /// The packet ends within a header.
    TooShort,
    /// Neither IPv4 nor IPv6.
    NotIp,
    /// More than two VLAN tags.
    TooManyVlanTags,
    /// Another version than IPv4, or a header of less than 20 bytes.
    BadIpv4Header,
    /// Another version than IPv6.
    BadIpv6Header,
    /// The IP header states a length that its own header or the packet has no room for.
    BadLength,
    /// More IPv6 extension headers than are looked at.
    TooManyExtensions,
    /// A TCP header whose stated size is below 20 bytes or beyond the packet.
    BadTcpHeader,
    /// An SCTP chunk whose stated length is below that of its own header.
    BadSctpChunk,
    /// A quoted packet was asked for, and the packet quotes none.
    NotAnIcmpError,
    /// The quoted packet is a later fragment, or of a protocol whose ports are not known here.
    QuoteWithoutPorts,
}

impl From<TooShort> for ParseError {
    #[inline(always)]
    fn from(TooShort: TooShort) -> Self {
        Self::TooShort
    }
}

/// Parses a packet from its first byte.
///
/// # Errors
/// See [`ParseError`].
#[inline(always)]
pub fn parse<B: Bytes + ?Sized>(bytes: &B, framing: Framing) -> Result<Parsed, ParseError> {
    let (l3, family) = locate(bytes, framing)?;
    parse_ip(bytes, l3, family)
}

/// Finds the IP header: its offset and family.
///
/// # Errors
/// See [`ParseError`].
#[inline(always)]
pub fn locate<B: Bytes + ?Sized>(bytes: &B, framing: Framing) -> Result<(u32, Family), ParseError> {
    match framing {
        Framing::Ethernet => eth::find_ip(bytes),
        Framing::Ip => Ok((0, version(bytes)?)),
    }
}

/// Parses a packet from its IP header, where place and family of that are known.
///
/// # Errors
/// See [`ParseError`].
#[inline(always)]
pub fn parse_ip<B: Bytes + ?Sized>(
    bytes: &B,
    l3: u32,
    family: Family,
) -> Result<Parsed, ParseError> {
    match family {
        Family::V4 => parse_l3(bytes, l3).map(Parsed::V4),
        Family::V6 => parse_l3(bytes, l3).map(Parsed::V6),
    }
}

/// Parses a packet of the family of `A` from its IP header.
///
/// # Errors
/// See [`ParseError`].
#[inline(always)]
pub fn parse_l3<A: IpAddress, B: Bytes + ?Sized>(
    bytes: &B,
    l3: u32,
) -> Result<Packet<A>, ParseError> {
    let header = A::header(bytes, l3)?;
    let (length, end) = bounds(&header, l3, bytes.len())?;
    let payload = A::payload(&header, bytes, l3, end)?;
    let mut found = L4::UNREAD;
    l4::transport::<A, B>(bytes, payload, end, &mut found)?;
    let L4 { sport, dport, transport } = found;
    let key = FlowKey {
        src: header.src,
        dst: header.dst,
        sport,
        dport,
        proto: payload.proto,
        reserved: [0; 3],
    };
    Ok(Packet {
        key,
        l3,
        l4: payload.l4,
        length,
        ttl: header.ttl,
        may_fragment: header.may_fragment,
        more_fragments: payload.more_fragments,
        transport,
    })
}

/// The family by the version that stands in the first byte.
#[inline(always)]
fn version<B: Bytes + ?Sized>(bytes: &B) -> Result<Family, ParseError> {
    let [first] = bytes.read(0)?;
    match first >> 4 {
        4 => Ok(Family::V4),
        6 => Ok(Family::V6),
        _ => Err(ParseError::NotIp),
    }
}

/// The packet's length as [`Packet::length`] has it, and where it ends.
#[inline(always)]
fn bounds<A>(header: &IpHeader<A>, l3: u32, len: u32) -> Result<(u32, u32), ParseError> {
    let room = len.wrapping_sub(l3);
    if header.unstated && room > u32::from(u16::MAX) {
        return Ok((0, len));
    }
    if header.length < header.size || header.length > room {
        return Err(ParseError::BadLength);
    }
    Ok((header.length, l3.wrapping_add(header.length)))
}
