//! From bytes to what decisions need: the flow's key and where its headers stand.

use crate::abi::{Address, FlowKey};

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
    /// What follows the IP header.
    pub transport: Transport,
}

/// What follows the IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A TCP header.
    Tcp(TcpFlags),
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
        matches!(self.transport, Transport::Tcp(_) | Transport::Udp { .. })
    }
}
