//! What a round of the engine came to.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use dataplane_common::abi::Family;

use crate::problem::Problem;

/// What a round of the engine came to.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Report {
    /// Grows when a round changes anything of what is told here or by [`Engine::services`].
    ///
    /// [`Engine::services`]: super::Engine::services
    pub revision: u64,
    /// Everything that is wrong as of now, in a fixed order: the same allocation where it is the
    /// same as before.
    pub problems: Arc<[Problem]>,
    /// How many map elements were written or deleted.
    pub writes: usize,
    /// How many backends of UDP are none any longer; those of another time whose protocol is not known
    /// count.
    pub udp_deaths: usize,
    /// How many ServicePorts (each family counts) are not served as they shall be.
    pub pending: usize,
    /// The families in which something is not programmed that may be at the next try. What does not
    /// fit is not among it.
    pub behind: BTreeSet<Family>,
    /// When to feed again, if nothing changes before.
    pub retry_at: Option<Instant>,
    /// Whether any Node changed.
    pub nodes_changed: bool,
    /// Whether objects are acted upon.
    pub listed: bool,
    /// Whether the sources could be read completely, so that what is missing may be taken out.
    pub complete: bool,
}
