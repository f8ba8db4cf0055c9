//! The Internet checksum (RFC 1071), and its update where a few bytes change (RFC 1624).

use super::IpAddress;
use crate::abi::Proto;

/// A one's-complement sum of 16-bit words, not yet folded.
///
/// The words are summed as they lie in memory, which RFC 1071, 2(B) allows: so a sum is what the
/// kernel calls `__wsum`, fit for `bpf_csum_diff` and `bpf_l4_csum_replace`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    /// The sum of nothing.
    pub const ZERO: Self = Self(0);

    /// The sum of bytes that begin at an even offset of what the checksum covers.
    #[must_use]
    #[inline(always)]
    pub fn of<const N: usize>(bytes: &[u8; N]) -> Self {
        Self::of_slice(bytes)
    }

    /// As [`Self::of`]; for kernel programs only where the length is a constant after inlining.
    #[must_use]
    #[inline(always)]
    pub fn of_slice(bytes: &[u8]) -> Self {
        let (words, rest) = bytes.as_chunks();
        let mut sum = u64::from(tail(rest));
        for word in words {
            sum = sum.wrapping_add(u64::from(u32::from_ne_bytes(*word)));
        }
        Self(sum)
    }

    /// What changes where `to` replaces `from`: `~m + m'` of RFC 1624, equation 3.
    #[must_use]
    #[inline(always)]
    pub fn diff<const N: usize>(from: &[u8; N], to: &[u8; N]) -> Self {
        let mut inverted = *from;
        for byte in &mut inverted {
            *byte = !*byte;
        }
        Self::of(&inverted).plus(Self::of(to))
    }

    /// A sum that the kernel computed.
    #[must_use]
    #[inline(always)]
    pub fn from_wsum(wsum: u32) -> Self {
        Self(u64::from(wsum))
    }

    /// The sum as the kernel's helpers take it.
    #[must_use]
    #[inline(always)]
    pub fn wsum(self) -> u32 {
        let once = (self.0 & 0xffff_ffff).wrapping_add(self.0 >> 32);
        (once & 0xffff_ffff).wrapping_add(once >> 32) as u32
    }

    /// Both sums' bytes together.
    #[must_use]
    #[inline(always)]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    /// The checksum of what was summed.
    #[must_use]
    #[inline(always)]
    pub fn checksum(self) -> Checksum {
        Checksum((!self.folded()).to_ne_bytes())
    }

    /// The sum of the pseudo-header of TCP, UDP and ICMPv6 (RFC 9293, 3.1; RFC 8200, 8.1).
    #[must_use]
    #[inline(always)]
    pub fn pseudo_header<A: IpAddress>(src: A, dst: A, proto: Proto, length: u32) -> Self {
        let Proto(proto) = proto;
        src.sum().plus(dst.sum()).plus(Self::of(&length.to_be_bytes())).plus(Self::of(&[0, proto]))
    }

    #[inline(always)]
    fn folded(self) -> u16 {
        let wsum = self.wsum();
        let once = (wsum & 0xffff).wrapping_add(wsum >> 16);
        (once & 0xffff).wrapping_add(once >> 16) as u16
    }
}

/// The last bytes, fewer than four, as a word that zeroes fill up.
#[inline(always)]
fn tail(rest: &[u8]) -> u32 {
    match *rest {
        [a] => u32::from_ne_bytes([a, 0, 0, 0]),
        [a, b] => u32::from_ne_bytes([a, b, 0, 0]),
        [a, b, c] => u32::from_ne_bytes([a, b, c, 0]),
        _ => 0,
    }
}

/// A checksum field as it stands in a packet.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checksum(pub [u8; 2]);

impl Checksum {
    /// A UDP field of a packet without checksum.
    pub const NONE: Self = Self([0; 2]);

    /// The checksum after a change that [`Sum::diff`] describes.
    #[must_use]
    #[inline(always)]
    pub fn updated(self, diff: Sum) -> Self {
        Sum::of(&self.inverted()).plus(diff).checksum()
    }

    /// As [`Self::updated`], by the rules of a protocol: in UDP zero says that there is none, and
    /// stays; a checksum that comes out as zero is sent as all ones (RFC 768).
    #[must_use]
    #[inline(always)]
    pub fn updated_for(self, proto: Proto, diff: Sum) -> Self {
        if proto != Proto::UDP {
            return self.updated(diff);
        }
        match self {
            Self::NONE => self,
            _ => self.updated(diff).for_udp(),
        }
    }

    /// What a UDP sender writes for this checksum.
    #[must_use]
    #[inline(always)]
    pub const fn for_udp(self) -> Self {
        match self {
            Self::NONE => Self([0xff; 2]),
            Self(field) => Self(field),
        }
    }

    #[inline(always)]
    const fn inverted(self) -> [u8; 2] {
        let [a, b] = self.0;
        [!a, !b]
    }
}
