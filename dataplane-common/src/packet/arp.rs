//! ARP (RFC 826) of IPv4 over Ethernet: who says it sends.

use super::{Bytes, TooShort};

/// `EtherType` of ARP, behind two hardware addresses.
const ETHERTYPE: [u8; 2] = [0x08, 0x06];
const AT: u32 = 12;
/// Ethernet's kind of hardware addresses, IPv4's of protocol addresses, and the sizes of both.
const SHAPE: [u8; 6] = [0, 1, 0x08, 0x00, 6, 4];
/// Where the sender's protocol address stands behind the `EtherType`.
const SENDER: u32 = 16;

/// The IPv4 address that a frame's sender says is its own; nothing where the frame is no ARP packet
/// of IPv4 over Ethernet.
///
/// # Errors
/// [`TooShort`] where the frame ends before it.
#[inline(always)]
pub fn arp_sender<B: Bytes + ?Sized>(frame: &B) -> Result<Option<[u8; 4]>, TooShort> {
    if frame.read(AT)? != ETHERTYPE || frame.read(AT.wrapping_add(2))? != SHAPE {
        return Ok(None);
    }
    Ok(Some(frame.read(AT.wrapping_add(SENDER))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sender_is_read_where_it_is_one_of_ipv4() {
        let whole = [&[0; 12][..], &ETHERTYPE, &SHAPE, &[0, 2], &[9; 6], &[10, 1, 0, 2]].concat();
        let with = |at: usize, byte: u8| {
            let mut frame = whole.clone();
            frame[at] = byte;
            frame
        };
        for (name, frame, expected) in [
            ("ARP", whole.clone(), Ok(Some([10, 1, 0, 2]))),
            ("IPv4", with(13, 0), Ok(None)),
            ("another hardware", with(15, 6), Ok(None)),
            ("another protocol", with(16, 0x86), Ok(None)),
            ("long addresses", with(18, 8), Ok(None)),
            ("cut off", whole[..31].to_vec(), Err(TooShort)),
            ("cut off early", whole[..13].to_vec(), Err(TooShort)),
        ] {
            assert_eq!(arp_sender(&frame[..]), expected, "{name}");
        }
    }
}
