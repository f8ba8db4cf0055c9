//! SCTP packets of one chunk (RFC 9260), with a checksum that is right.

use crc::{CRC_32_ISCSI, Crc};

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

/// CRC32c over the packet with a checksum of zero, in the order of RFC 9260, Appendix A.
fn checksum(packet: &[u8]) -> [u8; 4] {
    let crc = Crc::<u32>::new(&CRC_32_ISCSI);
    let mut digest = crc.digest();
    digest.update(&packet[..8]);
    digest.update(&[0; 4]);
    digest.update(&packet[12..]);
    digest.finalize().to_le_bytes()
}
