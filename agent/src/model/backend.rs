//! Backends: the endpoints of one ServicePort as they are used on one node.

use std::net::SocketAddr;

use dataplane_common::abi::{BackendState, Scopes, SlotFlags};

/// An endpoint that a node knows for a ServicePort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Where it is.
    pub at: SocketAddr,
    /// The sets of new flows it is in.
    pub scopes: Scopes,
    /// Whose node it is on.
    pub place: SlotFlags,
}

impl Backend {
    /// Active in any set; out of all sets it keeps the flows it has.
    #[must_use]
    pub fn state(&self) -> BackendState {
        if self.scopes == Scopes::default() {
            BackendState::Terminating
        } else {
            BackendState::Active
        }
    }
}
