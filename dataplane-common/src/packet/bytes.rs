//! Where a packet's bytes come from: a socket buffer, an XDP frame, a slice.

/// A packet's bytes, wherever they live.
pub trait Bytes {
    /// Length of the packet in bytes, from its first header on.
    fn len(&self) -> u32;

    /// Whether the packet has no bytes at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies the `N` bytes that start `offset` bytes into the packet.
    ///
    /// # Errors
    /// [`TooShort`] where the packet ends before `offset + N`.
    fn read<const N: usize>(&self, offset: u32) -> Result<[u8; N], TooShort>;
}

/// Bytes that can be changed in place.
pub trait BytesMut: Bytes {
    /// Overwrites the `N` bytes that start `offset` bytes into the packet.
    ///
    /// # Errors
    /// [`TooShort`] where the packet ends before `offset + N`; nothing is written then.
    fn write<const N: usize>(&mut self, offset: u32, value: [u8; N]) -> Result<(), TooShort>;
}

/// The packet ends before the header that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooShort;

/// Reads `N` bytes that end at `end` or before: padding behind an IP packet is not part of it.
#[inline(always)]
pub(super) fn read_within<const N: usize, B: Bytes + ?Sized>(
    bytes: &B,
    offset: u32,
    end: u32,
) -> Result<[u8; N], TooShort> {
    if u64::from(offset).wrapping_add(N as u64) > u64::from(end) {
        return Err(TooShort);
    }
    bytes.read(offset)
}

impl Bytes for [u8] {
    fn len(&self) -> u32 {
        u32::try_from(self.len()).unwrap_or(u32::MAX)
    }

    fn read<const N: usize>(&self, offset: u32) -> Result<[u8; N], TooShort> {
        let start = usize::try_from(offset).map_err(|_| TooShort)?;
        self.get(start..).and_then(<[u8]>::first_chunk).copied().ok_or(TooShort)
    }
}

impl BytesMut for [u8] {
    fn write<const N: usize>(&mut self, offset: u32, value: [u8; N]) -> Result<(), TooShort> {
        let start = usize::try_from(offset).map_err(|_| TooShort)?;
        let room = self.get_mut(start..).and_then(<[u8]>::first_chunk_mut).ok_or(TooShort)?;
        *room = value;
        Ok(())
    }
}

impl<B: Bytes + ?Sized> Bytes for &B {
    #[inline(always)]
    fn len(&self) -> u32 {
        (**self).len()
    }

    #[inline(always)]
    fn read<const N: usize>(&self, offset: u32) -> Result<[u8; N], TooShort> {
        (**self).read(offset)
    }
}

impl<B: Bytes + ?Sized> Bytes for &mut B {
    #[inline(always)]
    fn len(&self) -> u32 {
        (**self).len()
    }

    #[inline(always)]
    fn read<const N: usize>(&self, offset: u32) -> Result<[u8; N], TooShort> {
        (**self).read(offset)
    }
}

impl<B: BytesMut + ?Sized> BytesMut for &mut B {
    #[inline(always)]
    fn write<const N: usize>(&mut self, offset: u32, value: [u8; N]) -> Result<(), TooShort> {
        (**self).write(offset, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_gives_and_takes_only_what_lies_inside_it() {
        let rows =
            [(0, Ok([1, 2])), (2, Ok([3, 4])), (3, Err(TooShort)), (u32::MAX, Err(TooShort))];
        for (offset, expected) in rows {
            let mut bytes = [1, 2, 3, 4];
            assert_eq!(bytes[..].read(offset), expected, "read at {offset}");
            assert_eq!(bytes[..].write(offset, [9, 9]), expected.map(|_| ()), "write at {offset}");
            assert_eq!(bytes.contains(&9), expected.is_ok(), "write at {offset} changed {bytes:?}");
        }
    }

    #[test]
    fn what_lies_behind_the_end_is_not_read() {
        let bytes = [1, 2, 3, 4];
        assert_eq!(read_within(&bytes[..], 1, 3), Ok([2, 3]));
        assert_eq!(read_within::<2, _>(&bytes[..], 2, 3), Err(TooShort));
        assert_eq!(read_within::<2, _>(&bytes[..], u32::MAX, 3), Err(TooShort));
    }
}
