//! What is wrong beside objects and network, until somebody mends it.

use std::time::{Duration, Instant};

use super::agent::TICK;
use super::policies::Policies;
use crate::cli::Places;
use crate::config::Config;
use crate::conntrack::Tracking;
use crate::problem::Problem;
use crate::reclaim::Reclaim;
use crate::timeouts::Timeouts;

/// How often addresses that nobody gives back are looked for, at least.
const RECLAIM: Duration = Duration::from_mins(1);

/// What the configuration says in vain, the settings of connection tracking, how long flows last,
/// addresses that nobody gives back, and who enforces policies.
pub(super) struct Standing {
    left_out: Option<Problem>,
    tracking: Tracking,
    timeouts: Timeouts,
    reclaim: Reclaim,
    pub(super) policies: Policies,
}

impl Standing {
    pub(super) fn new(
        left_out: Option<Problem>,
        config: &Config,
        timeouts: Timeouts,
        places: &Places,
    ) -> Self {
        let period = config.sync_period.clamp(TICK, RECLAIM);
        let reclaim = Reclaim::new(&config.cni_plugin, places, period);
        let policies = Policies::new(config.network_policy.enforced_by);
        let tracking = Tracking::new(&config.conntrack);
        Self { left_out, tracking, timeouts, reclaim, policies }
    }

    /// Mends what can be.
    pub(super) fn ensure(&mut self) {
        self.tracking.ensure();
        self.timeouts.ensure();
    }

    /// Follows what no message tells of; says whether there is something new to be told.
    pub(super) fn follow(&mut self) -> bool {
        self.timeouts.ensure();
        self.reclaim.look(Instant::now())
    }

    /// All of it.
    pub(super) fn problems(&self) -> impl Iterator<Item = Problem> {
        let lasting = self.tracking.problems().chain(self.timeouts.problems());
        let lasting = self.left_out.iter().chain(lasting).chain(self.reclaim.problems());
        lasting.cloned().chain(self.policies.problems())
    }
}
