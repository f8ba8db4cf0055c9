//! What is wrong beside objects and network, until somebody mends it.

use super::policies::Policies;
use crate::config::Config;
use crate::conntrack::Tracking;
use crate::problem::Problem;
use crate::timeouts::Timeouts;

/// What the configuration says in vain, the settings of connection tracking, how long flows last, and
/// who enforces policies.
pub(super) struct Standing {
    left_out: Option<Problem>,
    tracking: Tracking,
    timeouts: Timeouts,
    pub(super) policies: Policies,
}

impl Standing {
    pub(super) fn new(left_out: Option<Problem>, config: &Config, timeouts: Timeouts) -> Self {
        let policies = Policies::new(config.network_policy.enforced_by);
        Self { left_out, tracking: Tracking::new(&config.conntrack), timeouts, policies }
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

    /// All of it but for policies, of which there may be news at any time.
    pub(super) fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.left_out.iter().chain(self.tracking.problems()).chain(self.timeouts.problems())
    }
}
