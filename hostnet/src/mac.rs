//! Hardware addresses.

use std::fmt;
use std::str::FromStr;

/// An Ethernet address, written in lower case with colons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Makes the address one that is administered locally and names one station, by setting and
    /// clearing the two bits that say so.
    #[must_use]
    pub const fn local(octets: [u8; 6]) -> Self {
        let [first, b, c, d, e, f] = octets;
        Self([(first | 0x02) & 0xfe, b, c, d, e, f])
    }

    /// The local address that a text stands for: the same wherever it is asked for.
    #[must_use]
    pub fn of(text: &str) -> Self {
        // FNV-1a of 64 bits, of which the last two octets fold into the first.
        let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let [a, b, c, d, e, f, g, h] = hash.to_be_bytes();
        Self::local([a ^ g, b ^ h, c, d, e, f])
    }

    pub(crate) fn from_slice(octets: &[u8]) -> Option<Self> {
        octets.try_into().ok().map(Self)
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// A text that is no hardware address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hardware address has six octets in hex with colons between")]
pub struct MacError;

impl FromStr for Mac {
    type Err = MacError;

    fn from_str(text: &str) -> Result<Self, MacError> {
        let octets: Vec<u8> = text
            .split(':')
            .map(|octet| u8::from_str_radix(octet, 16).map_err(|_| MacError))
            .collect::<Result<_, _>>()?;
        Self::from_slice(&octets).ok_or(MacError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_survives_its_text() {
        let mac = Mac::local([0xff, 1, 2, 3, 4, 0xab]);
        assert_eq!(mac.to_string(), "fe:01:02:03:04:ab");
        assert_eq!(mac.to_string().parse(), Ok(mac));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "01:02:03:04:05", "01:02:03:04:05:06:07", "01:02:03:04:05:zz"] {
            assert_eq!(text.parse::<Mac>(), Err(MacError), "{text:?}");
        }
    }
}
