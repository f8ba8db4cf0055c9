//! Calls that tell a process whom it talks to: recvmsg and getpeername.

use super::{Call, SocketTables};
use crate::abi::{Address, Port, SocketDirection};

/// Puts the frontend that the process knows the peer by in the peer's place; tells whether there is
/// one.
#[inline(always)]
pub fn reverse<A: Address>(
    call: &Call<A>,
    tables: &impl SocketTables,
    addr: &mut A,
    port: &mut Port,
) -> bool {
    match tables.socket(&call.key(SocketDirection::Reverse)) {
        Some(known) => {
            *addr = A::narrow(known.addr);
            *port = known.port;
            true
        }
        None => false,
    }
}
