//! SCTP packets of one chunk (RFC 9260), with a checksum that is right.

use crate::packet::{ACK, FIN, RST, SYN};

/// A chunk of data.
pub(crate) const DATA: u8 = 0;

/// The chunk that means what these TCP flags mean.
pub(crate) const fn chunk(flags: u8) -> u8 {
    match flags {
        SYN => 1,
        _ if flags == SYN | ACK => 2,
        RST => 6,
        _ if flags == FIN | ACK => 7,
        ACK => 3,
        _ => DATA,
    }
}

/// The packet from its common header on.
///
/// # Panics
/// When the chunk is too long to say its length.
#[must_use]
pub fn packet(ports: [u16; 2], chunk: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 4).expect("a short chunk");
    let mut bytes: Vec<u8> = ports.into_iter().flat_map(u16::to_be_bytes).collect();
    bytes.extend([0x57, 0x47, 0, 1, 0, 0, 0, 0, chunk, 0]);
    bytes.extend(length.to_be_bytes());
    bytes.extend(payload);
    let checksum = checksum(&bytes);
    bytes[8..12].copy_from_slice(&checksum);
    bytes
}

/// Whether the checksum of a packet is that of its bytes, from its common header on.
#[must_use]
pub fn is_whole(packet: &[u8]) -> bool {
    packet.get(8..12).is_some_and(|there| there == checksum(packet))
}

/// The CRC of the packet with a checksum of zero, in the order of RFC 9260, Appendix A.
fn checksum(packet: &[u8]) -> [u8; 4] {
    let blank = packet[..8].iter().chain(&[0; 4]).chain(&packet[12..]);
    crc(blank.copied()).to_le_bytes()
}

/// `CRC-32/ISCSI` of the catalogue of CRCs: Castagnoli's, bit by bit.
#[must_use]
pub fn crc(bytes: impl IntoIterator<Item = u8>) -> u32 {
    let shift = |crc: u32, _| crc >> 1 ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
    !bytes.into_iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(byte), shift))
}
