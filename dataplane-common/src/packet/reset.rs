//! TCP resets that we send ourselves, in the name of who does not know the connection.

use super::{Bytes, Checksum, IpAddress, Packet, Sum, TcpFlags, TooShort, Transport};
use crate::abi::Proto;

/// Bytes of a TCP header without options.
const SIZE: u32 = 20;
/// The same as a header states it: in words of four bytes, in the upper half of a byte.
const SIZE_FIELD: u8 = 0x50;

/// The reset that answers a TCP segment, from the segment's own destination back to its source.
///
/// Its headers are made one by one: both are more than kernel programs like to have at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reset {
    sequence: [u8; 4],
    acknowledgement: [u8; 4],
    flags: TcpFlags,
}

impl Reset {
    /// With the numbers that the segment's sender believes (RFC 9293, 3.10.7.1).
    ///
    /// # Errors
    /// [`TooShort`] where `bytes` are not those that the packet was parsed from.
    #[inline(always)]
    pub fn of<A: IpAddress, B: Bytes + ?Sized>(
        bytes: &B,
        packet: &Packet<A>,
    ) -> Result<Self, TooShort> {
        let [sequence @ .., a0, a1, a2, a3, offset, flags]: [u8; 10] =
            bytes.read(packet.l4.wrapping_add(4))?;
        let flags = TcpFlags(flags);
        if flags.has(TcpFlags::ACK) {
            let acknowledgement = [0; 4];
            return Ok(Self { sequence: [a0, a1, a2, a3], acknowledgement, flags: TcpFlags::RST });
        }
        let header = u32::from(offset >> 4).wrapping_mul(4);
        let payload = packet.end(bytes).wrapping_sub(packet.l4).wrapping_sub(header);
        // Both flags take a place of their own among the bytes.
        let [syn, fin] = [TcpFlags::SYN, TcpFlags::FIN].map(|flag| u32::from(flags.has(flag)));
        let next = u32::from_be_bytes(sequence).wrapping_add(payload);
        let next = next.wrapping_add(syn).wrapping_add(fin);
        Ok(Self {
            sequence: [0; 4],
            acknowledgement: next.to_be_bytes(),
            flags: TcpFlags(TcpFlags::RST.0 | TcpFlags::ACK.0),
        })
    }

    /// The TCP header, without options.
    #[must_use]
    #[inline(always)]
    pub fn tcp<A: IpAddress>(&self, packet: &Packet<A>) -> [u8; 20] {
        let ([s0, s1], [d0, d1]) = (packet.key.dport.0, packet.key.sport.0);
        let ([q0, q1, q2, q3], [a0, a1, a2, a3]) = (self.sequence, self.acknowledgement);
        let flags = self.flags.0;
        #[rustfmt::skip]
        let header = |Checksum([c0, c1])| [
            s0, s1, d0, d1,
            q0, q1, q2, q3,
            a0, a1, a2, a3,
            SIZE_FIELD, flags, 0, 0,
            c0, c1, 0, 0,
        ];
        let addresses = Sum::pseudo_header(packet.key.dst, packet.key.src, Proto::TCP, SIZE);
        header(Sum::of(&header(Checksum::NONE)).plus(addresses).checksum())
    }

    /// The IP header, without options or extensions.
    #[must_use]
    #[inline(always)]
    pub fn ip<A: IpAddress>(packet: &Packet<A>) -> A::Header {
        A::own_header(Proto::TCP, packet.key.dst, packet.key.src, SIZE)
    }
}

/// Whether a packet can be answered by a reset.
#[must_use]
#[inline(always)]
pub const fn may_reset(transport: Transport) -> bool {
    matches!(transport, Transport::Tcp(flags) if !flags.has(TcpFlags::RST))
}
