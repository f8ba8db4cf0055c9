//! Packet views: validated reads of one header each, and the parser that joins them.

/// A packet's bytes, wherever they live: a socket buffer, an XDP frame, a slice.
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

/// The packet ends before the header that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooShort;

mod parse;

pub use parse::{Framing, Packet, Parsed, TcpFlags, Transport};
