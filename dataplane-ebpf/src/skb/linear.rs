//! The part of a packet that lies in one piece in memory, as headers nearly always do: read and
//! written without a call. Calls are most of what a packet costs where processors must not guess
//! where a function returns to.

use dataplane_common::packet::{Bytes, BytesMut, TooShort};

use super::{HelperFailed, Skb, buffer::Aligned};

/// Bytes that are looked for here; the verifier wants to know a limit.
const REACH: u32 = 1023;

/// A packet whose bytes are read where they lie, and through helpers where that fails.
///
/// For what every packet is asked: code that seldom runs is shorter without it.
pub(crate) struct Head(pub(crate) Skb);

impl Bytes for Head {
    #[inline(always)]
    fn len(&self) -> u32 {
        self.0.len()
    }

    #[inline(always)]
    fn read<const N: usize>(&self, offset: u32) -> Result<[u8; N], TooShort> {
        match self.0.linear(offset) {
            // SAFETY: the place is `N` bytes of the packet. It may not be aligned, which all
            // processors that the programs run on take.
            Some(place) => Ok(unsafe { (*place).0 }),
            None => self.0.read(offset),
        }
    }
}

/// For bytes that no sum beside the packet covers: those of an IPv4 header, which sums up to
/// nothing, and what checksums are told of by other means.
impl BytesMut for Head {
    #[inline(always)]
    fn write<const N: usize>(&mut self, offset: u32, value: [u8; N]) -> Result<(), TooShort> {
        match self.0.linear(offset) {
            // SAFETY: as above; a packet's bytes are ours to write, the verifier sees to that.
            Some(place) => unsafe { (*place).0 = value },
            None => self.0.store(offset, value, 0).map_err(|HelperFailed| TooShort)?,
        }
        Ok(())
    }
}

impl Skb {
    /// Where `N` bytes of the packet lie; valid until a helper changes the packet.
    #[inline(always)]
    fn linear<const N: usize>(&self, offset: u32) -> Option<*mut Aligned<N>> {
        if offset > REACH {
            return None;
        }
        let (start, end) = self.bounds();
        let place = start.wrapping_add(opaque(offset));
        // Of a single byte the compiler makes a comparison that the verifier does not understand.
        let size = if N < 2 { 2 } else { N };
        if place.wrapping_add(size) > end {
            return None;
        }
        Some(place as *mut Aligned<N>)
    }
}

/// An offset of which the verifier, and not the compiler, knows the limit: the compiler would move
/// comparisons to where the verifier does not see what they are about.
#[inline(always)]
fn opaque(offset: u32) -> usize {
    let mut offset = offset as usize;
    // SAFETY: changes the one register, and that to the value it has.
    #[cfg(target_arch = "bpf")]
    unsafe {
        core::arch::asm!("{0} &= 1023", inout(reg) offset, options(pure, nomem, nostack));
    }
    offset
}
