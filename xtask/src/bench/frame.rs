//! The UDP packet that is sent over and over.

use std::net::{Ipv4Addr, SocketAddrV4};

/// Bytes of a frame: the least that Ethernet carries, without its checksum.
pub(super) const LENGTH: usize = 60;

const IP: usize = 14;
const UDP: usize = IP + 20;
const PAYLOAD: usize = UDP + 8;

/// Where the source port is.
pub(super) const SOURCE_PORT: usize = UDP;

/// Where the number is that takes back in the checksum what the source port adds.
pub(super) const BALANCE: usize = PAYLOAD;

/// A hardware address.
pub(super) type Mac = [u8; 6];

/// What the headers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) from: SocketAddrV4,
    pub(super) to: SocketAddrV4,
    pub(super) from_mac: Mac,
    pub(super) to_mac: Mac,
}

impl Frame {
    /// The frame, whose source port may be changed if the balance is set to its complement.
    pub(super) fn bytes(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        put(&mut bytes, 0, &self.to_mac);
        put(&mut bytes, 6, &self.from_mac);
        put(&mut bytes, 12, &[0x08, 0x00, 0x45, 0]);
        put(&mut bytes, IP + 2, &length(IP));
        put(&mut bytes, IP + 6, &[0x40, 0, 64, 17]);
        put(&mut bytes, IP + 12, &self.from.ip().octets());
        put(&mut bytes, IP + 16, &self.to.ip().octets());
        put(&mut bytes, UDP, &self.from.port().to_be_bytes());
        put(&mut bytes, UDP + 2, &self.to.port().to_be_bytes());
        put(&mut bytes, UDP + 4, &length(UDP));
        put(&mut bytes, BALANCE, &(!self.from.port()).to_be_bytes());
        let header = checksum(sum(&bytes[IP..UDP]));
        put(&mut bytes, IP + 10, &header);
        let udp = checksum(pseudo_header(*self.from.ip(), *self.to.ip()) + sum(&bytes[UDP..]));
        put(&mut bytes, UDP + 6, &udp);
        bytes
    }
}

fn put(bytes: &mut [u8; LENGTH], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

/// What is left of the frame from a header on.
fn length(from: usize) -> [u8; 2] {
    u16::try_from(LENGTH - from).unwrap_or(u16::MAX).to_be_bytes()
}

fn pseudo_header(from: Ipv4Addr, to: Ipv4Addr) -> u32 {
    sum(&from.octets()) + sum(&to.octets()) + sum(&[0, 17]) + sum(&length(UDP))
}

fn sum(bytes: &[u8]) -> u32 {
    bytes.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum()
}

fn checksum(sum: u32) -> [u8; 2] {
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    (!u16::try_from(folded).unwrap_or(u16::MAX)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::{Frame, IP, UDP, checksum, pseudo_header, sum};

    fn frame(port: u16) -> Frame {
        Frame {
            from: format!("10.244.1.2:{port}").parse().unwrap(),
            to: "10.96.0.2:53".parse().unwrap(),
            from_mac: [2, 0, 0, 0, 0, 1],
            to_mac: [2, 0, 0, 0, 0, 2],
        }
    }

    #[test]
    fn checksums_are_right() {
        let (frame, bytes) = (frame(20_000), frame(20_000).bytes());
        assert_eq!(checksum(sum(&bytes[IP..UDP])), [0, 0]);
        let pseudo = pseudo_header(*frame.from.ip(), *frame.to.ip());
        assert_eq!(checksum(pseudo + sum(&bytes[UDP..])), [0, 0]);
    }

    #[test]
    fn another_source_port_needs_no_other_checksum() {
        let (one, other) = (frame(20_000).bytes(), frame(31_234).bytes());
        let differ: Vec<usize> = (0..one.len()).filter(|at| one[*at] != other[*at]).collect();
        assert_eq!(differ, [34, 35, 42, 43]);
    }
}
