//! Ethernet with up to two VLAN tags.

use super::{Bytes, ParseError};
use crate::abi::Family;

/// `EtherType` of IPv4.
const IPV4: [u8; 2] = [0x08, 0x00];
/// `EtherType` of IPv6.
const IPV6: [u8; 2] = [0x86, 0xdd];
/// `EtherType` of a customer tag (802.1Q).
const VLAN: [u8; 2] = [0x81, 0x00];
/// `EtherType` of a service tag (802.1ad).
const SERVICE_VLAN: [u8; 2] = [0x88, 0xa8];

/// Where the first `EtherType` stands, behind two hardware addresses.
const ETHERTYPE: u32 = 12;
/// Bytes of a VLAN tag.
const TAG: u32 = 4;
/// Bytes of an `EtherType`.
const ETHERTYPE_SIZE: u32 = 2;
/// Types looked at: those of a service tag, of a customer tag, and of what they carry.
const MAX_TYPES: u32 = 3;

/// Finds the IP header: its offset and family.
#[inline(always)]
pub(super) fn find_ip<B: Bytes + ?Sized>(bytes: &B) -> Result<(u32, Family), ParseError> {
    let mut offset = ETHERTYPE;
    // Bounded loops need Linux 5.3.
    for _ in 0..MAX_TYPES {
        let family = match bytes.read(offset)? {
            IPV4 => Family::V4,
            IPV6 => Family::V6,
            VLAN | SERVICE_VLAN => {
                offset = offset.wrapping_add(TAG);
                continue;
            }
            _ => return Err(ParseError::NotIp),
        };
        return Ok((offset.wrapping_add(ETHERTYPE_SIZE), family));
    }
    Err(ParseError::TooManyVlanTags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ip_header_is_found_behind_up_to_two_tags() {
        let rows: [(&str, &[[u8; 2]], _); 9] = [
            ("IPv4", &[IPV4], Ok((14, Family::V4))),
            ("IPv6", &[IPV6], Ok((14, Family::V6))),
            ("one tag", &[VLAN, IPV4], Ok((18, Family::V4))),
            ("a service tag alone", &[SERVICE_VLAN, IPV6], Ok((18, Family::V6))),
            ("both tags", &[SERVICE_VLAN, VLAN, IPV6], Ok((22, Family::V6))),
            ("three tags", &[VLAN, VLAN, VLAN, IPV4], Err(ParseError::TooManyVlanTags)),
            ("ARP", &[[0x08, 0x06]], Err(ParseError::NotIp)),
            ("tagged ARP", &[VLAN, [0x08, 0x06]], Err(ParseError::NotIp)),
            ("a tag cut off", &[VLAN], Err(ParseError::TooShort)),
        ];
        for (name, types, expected) in rows {
            let frame = types.join(&[0, 7][..]);
            let frame = [&[0; 12][..], &frame].concat();
            assert_eq!(find_ip(&frame[..]), expected, "{name}");
        }
    }
}
