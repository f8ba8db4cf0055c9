//! What decisions about sockets read and write.

use crate::abi::{SocketEntry, SocketKey};
use crate::flow::ServiceTables;

/// All tables that a call of a process may meet.
pub trait SocketTables: ServiceTables {
    /// What is known of a socket and a peer.
    fn socket(&self, key: &SocketKey) -> Option<SocketEntry>;
    /// Writes it down, whatever was known.
    fn hold_socket(&self, key: &SocketKey, entry: &SocketEntry);
    /// Forgets it, if there is anything to forget.
    fn forget_socket(&self, key: &SocketKey);
}
