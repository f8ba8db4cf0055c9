//! Sockets of the node's own processes: the LRU hash `sockets`.
//!
//! ```text
//! forward    cookie, frontend -> the backend that the socket's datagrams go to
//! reverse    cookie, backend  -> the frontend that the process knows it by
//! ```
//!
//! TCP has the reverse entry alone: a connection is translated once.

use super::{Addr, BackendId, Port, Proto, ServiceId};

/// Key: a socket and an address it exchanges packets with.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketKey {
    /// The kernel's number of the socket, which no other socket ever gets.
    pub cookie: u64,
    /// The frontend's address, or the backend's.
    pub addr: Addr,
    /// Its port.
    pub port: Port,
    /// The transport protocol.
    pub proto: Proto,
    /// What the address is: a [`SocketDirection`] as its number.
    pub direction: u8,
    /// Zero.
    pub reserved: [u8; 4],
}

const _: () = assert!(size_of::<SocketKey>() == 32 && align_of::<SocketKey>() == 8);

/// What the address of a [`SocketKey`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SocketDirection {
    /// The frontend that the process asks for.
    Forward,
    /// The backend that answers.
    Reverse,
}

impl SocketDirection {
    /// The number that stands in [`SocketKey::direction`].
    #[must_use]
    #[inline(always)]
    pub const fn number(self) -> u8 {
        match self {
            Self::Forward => 0,
            Self::Reverse => 1,
        }
    }
}

/// Value: what the address is translated to.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SocketEntry {
    /// The backend's address, or the frontend's.
    pub addr: Addr,
    /// Its port.
    pub port: Port,
    /// The backend's generation at choice.
    pub generation: u16,
    /// The backend.
    pub backend: BackendId,
    /// The ServicePort.
    pub service: ServiceId,
}

const _: () = assert!(size_of::<SocketEntry>() == 28 && align_of::<SocketEntry>() == 4);
