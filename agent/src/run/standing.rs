//! What is wrong beside objects and network, until somebody mends it.

use crate::config::Conntrack;
use crate::conntrack::Tracking;
use crate::problem::Problem;
use crate::timeouts::Timeouts;

/// What the configuration says in vain, the settings of connection tracking, and how long flows
/// last.
pub(super) struct Standing {
    left_out: Option<Problem>,
    tracking: Tracking,
    timeouts: Timeouts,
}

impl Standing {
    pub(super) fn new(
        left_out: Option<Problem>,
        conntrack: &Conntrack,
        timeouts: Timeouts,
    ) -> Self {
        Self { left_out, tracking: Tracking::new(conntrack), timeouts }
    }

    /// Mends what can be.
    pub(super) fn ensure(&mut self) {
        self.tracking.ensure();
        self.timeouts.ensure();
    }

    /// Follows the sysctls of which no message tells.
    pub(super) fn follow(&mut self) {
        self.timeouts.ensure();
    }

    /// All of it.
    pub(super) fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.left_out.iter().chain(self.tracking.problems()).chain(self.timeouts.problems())
    }
}
