//! What is wrong beside objects and network, until somebody mends it.

use crate::config::Conntrack;
use crate::conntrack::Tracking;
use crate::problem::Problem;

/// What the configuration says in vain, and the settings of connection tracking.
pub(super) struct Standing {
    left_out: Option<Problem>,
    tracking: Tracking,
}

impl Standing {
    pub(super) fn new(left_out: Option<Problem>, conntrack: &Conntrack) -> Self {
        Self { left_out, tracking: Tracking::new(conntrack) }
    }

    /// Mends what can be.
    pub(super) fn ensure(&mut self) {
        self.tracking.ensure();
    }

    /// All of it.
    pub(super) fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.left_out.iter().chain(self.tracking.problems())
    }
}
