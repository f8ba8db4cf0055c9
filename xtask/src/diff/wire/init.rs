//! The first packet of an association behind its IP header, as RFC 9260 has it.

use std::net::{IpAddr, SocketAddr};

use crc::{CRC_32_ISCSI, Crc};

use super::{frame::Opening, sight::Sight};
use crate::diff::probe::Protocol;

/// The common header and the chunk.
const SIZE: usize = 32;

/// The chunk's type.
const INIT: u8 = 1;

/// Where the number stands: as the first that the sender would give its data.
const NUMBER: usize = 28;

const CHECKSUM: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// Writes it.
pub(in crate::diff) fn init(from: u16, to: u16, number: u32) -> [u8; SIZE] {
    let mut packet = [0; SIZE];
    packet[..2].copy_from_slice(&from.to_be_bytes());
    packet[2..4].copy_from_slice(&to.to_be_bytes());
    packet[12..16].copy_from_slice(&[INIT, 0, 0, 20]);
    // Neither the tag nor the window nor the numbers of streams may be nothing.
    packet[16..NUMBER].copy_from_slice(&[1, 1, 1, 1, 0, 1, 0, 0, 0, 1, 0, 1]);
    packet[NUMBER..].copy_from_slice(&number.to_be_bytes());
    let sum = CHECKSUM.checksum(&packet);
    packet[8..12].copy_from_slice(&sum.to_le_bytes());
    packet
}

/// Reads it.
pub(super) fn read_init(from: IpAddr, to: IpAddr, packet: &[u8]) -> Option<Sight> {
    let (number, is_init) = (init_number(packet)?, packet[12] == INIT);
    let port = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
    is_init.then(|| {
        Sight::Opening(Opening {
            from: SocketAddr::new(from, port(0)),
            to: SocketAddr::new(to, port(2)),
            protocol: Protocol::Sctp,
            number,
        })
    })
}

/// The number in it, or in what an error quotes of it.
pub(super) fn init_number(packet: &[u8]) -> Option<u32> {
    packet.get(NUMBER..)?.first_chunk().copied().map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::init;

    #[test]
    fn its_checksum_is_that_of_the_rfc() {
        // By the table of RFC 9260, appendix A, over the packet without it.
        let packet = init(1024, 80, 7);
        let mut plain = packet;
        plain[8..12].fill(0);
        let crc = plain.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 }
            })
        });
        assert_eq!(packet[8..12], (!crc).to_le_bytes());
    }
}
