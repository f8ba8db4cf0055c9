//! What a flow is given when it begins.

use crate::abi::{Service, Slot};

/// A ServicePort, one of its backends, and whether that one may see who the client is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// What the frontend stands for.
    pub service: Service,
    /// Where the flow goes.
    pub slot: Slot,
    /// Whether the backend sees the node's address instead of the client's.
    pub masquerade: bool,
    /// With session affinity: whether that is the backend the client was held to before.
    pub is_held: bool,
    /// Whether it is the one that the client's flows went to before, as far as can be told: it is held
    /// to it, or there is no other.
    pub is_certain: bool,
}
