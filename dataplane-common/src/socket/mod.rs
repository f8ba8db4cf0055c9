//! What becomes of a call by which a process of this node names a peer: decided where the call is
//! made, so that no packet of it ever carries a frontend.
//!
//! ```text
//! connect, sendmsg      forward:  frontend -> the socket's backend (UDP) | select -> backend
//! recvmsg, getpeername  reverse:  backend -> the frontend that the socket asked it by last
//! ```
//!
//! A connected socket stays with its backend whatever becomes of that. A UDP socket that is not
//! connected is given another one at its next datagram after its backend has died.

mod forward;
mod reverse;
mod scope;
mod tables;
#[cfg(test)]
mod tests;

pub use forward::{CLOSED_PORT, Decision, ask, send};
pub use reverse::reverse;
pub use scope::is_of_node;
pub use tables::SocketTables;

use crate::abi::{Address, Port, Proto, SocketDirection, SocketKey};

/// A socket and the peer that a call names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call<A> {
    /// The socket.
    pub cookie: u64,
    /// The peer's address.
    pub addr: A,
    /// The peer's port.
    pub port: Port,
    /// The socket's protocol.
    pub proto: Proto,
}

impl<A: Address> Call<A> {
    /// The key of what is known of the socket and this peer.
    #[inline(always)]
    fn key(&self, direction: SocketDirection) -> SocketKey {
        let Self { cookie, addr, port, proto } = *self;
        let (addr, direction) = (addr.widen(), direction.number());
        SocketKey { cookie, addr, port, proto, direction, reserved: [0; 4] }
    }
}
