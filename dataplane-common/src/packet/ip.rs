//! What the two IP versions do differently, so that all other code is written once.

use core::fmt::Debug;

use super::{Bytes, BytesMut, ParseError, Sum, TooShort};
use crate::{
    abi::{Address, Proto},
    flow::Answer,
};

/// The fields of an IP header's fixed part that packets of both versions have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpHeader<A> {
    /// Source address.
    pub src: A,
    /// Destination address.
    pub dst: A,
    /// What follows: IPv4's protocol, IPv6's next header.
    pub proto: Proto,
    /// Bytes of this header, IPv4 options included, IPv6 extension headers not.
    pub size: u32,
    /// Bytes of the IP packet as stated, this header included.
    pub length: u32,
    /// The length field is zero, as it is in segmentation-offload packets beyond 64 KiB.
    pub unstated: bool,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Whether routers may fragment the packet.
    pub may_fragment: bool,
    /// Whether the packet is a fragment other than the first.
    pub later_fragment: bool,
    /// Not zero where more fragments follow. A number and no `bool`: of a decision the verifier would
    /// look at both outcomes.
    pub more_fragments: u16,
}

/// What stands behind an IP header and its extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The protocol.
    pub proto: Proto,
    /// Where it begins, in bytes from the packet's begin.
    pub l4: u32,
    /// Whether it continues a fragmented packet.
    pub later_fragment: bool,
    /// Not zero where more fragments follow. A number and no `bool`: of a decision the verifier would
    /// look at both outcomes.
    pub more_fragments: u16,
}

/// What tells one ICMP error from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpError {
    /// The type.
    pub kind: u8,
    /// The code.
    pub code: u8,
    /// The four bytes after the checksum.
    pub rest: [u8; 4],
}

/// TTL or hop limit of packets made here.
pub(super) const OWN_TTL: u8 = 64;

/// An address of a version with what packets of that version need.
pub trait IpAddress: Address {
    /// A header without options or extensions.
    type Header: Copy + Debug + PartialEq + Eq + AsRef<[u8]>;

    /// The protocol number of the version's ICMP.
    const ICMP: Proto;
    /// Type of an ICMP message that asks for an echo.
    const ECHO: u8;
    /// Where the source address stands in the header; the destination follows it.
    const ADDRESSES: u32;
    /// Where TTL or hop limit stands in the header.
    const TTL: u32;
    /// Where the header's checksum stands in it, where the version has one.
    const HEADER_CHECKSUM: Option<u32>;
    /// Whether the checksum of the version's ICMP covers the addresses.
    const ICMP_COVERS_ADDRESSES: bool;

    /// Reads the fixed part of the header at `l3`.
    ///
    /// # Errors
    /// The packet ends within it, or it is not a header of this version.
    fn header<B: Bytes + ?Sized>(bytes: &B, l3: u32) -> Result<IpHeader<Self>, ParseError>;

    /// Steps over what may stand between the header at `l3` and its payload, up to `end`.
    ///
    /// # Errors
    /// The extension headers reach beyond `end` or are too many.
    fn payload<B: Bytes + ?Sized>(
        header: &IpHeader<Self>,
        bytes: &B,
        l3: u32,
        end: u32,
    ) -> Result<Payload, ParseError>;

    /// What tells which fragments make up one datagram, in network order, for a fragment with its
    /// headers at `l3` and `l4`.
    ///
    /// # Errors
    /// [`TooShort`] where the packet ends before it.
    fn identification<B: Bytes + ?Sized>(bytes: &B, l3: u32, l4: u32) -> Result<[u8; 4], TooShort>;

    /// The one's-complement sum of the address.
    fn sum(self) -> Sum;

    /// What a checksum over this address changes by when `to` stands in its place.
    fn diff(self, to: Self) -> Sum;

    /// Writes both addresses of the header at `l3`.
    ///
    /// # Errors
    /// [`TooShort`] where the packet ends before them.
    fn write_addresses<B: BytesMut + ?Sized>(
        bytes: &mut B,
        l3: u32,
        src: Self,
        dst: Self,
    ) -> Result<(), TooShort>;

    /// Whether the address can be that of one host on a network, as an error's receiver must be.
    fn is_one_host(self) -> bool;

    /// Whether an ICMP message of this type quotes the packet it is about.
    fn icmp_quotes(kind: u8) -> bool;

    /// Whether addresses are such that no router forwards what has them, and that hosts have for
    /// asking who is on their link.
    fn is_of_link(src: Self, dst: Self) -> bool;

    /// Whether hosts ask each other on their link by ICMP messages of this type.
    fn icmp_serves_link(kind: u8) -> bool;

    /// Whether an ICMP message of this type must not be answered by an error.
    fn icmp_forbids_answer(kind: u8) -> bool;

    /// How an answer is said in the version's ICMP.
    fn icmp_error(answer: Answer) -> IcmpError;

    /// The header of an ICMP message or a TCP segment of `length` bytes that is sent here.
    fn own_header(proto: Proto, src: Self, dst: Self, length: u32) -> Self::Header;
}
