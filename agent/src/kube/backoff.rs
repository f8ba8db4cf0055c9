//! How long to wait after a failure: longer each time up to a limit, and never quite the same, so
//! that the agents of a cluster do not come back all at once.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

/// The waits after failures in a row.
#[derive(Debug)]
pub(super) struct Backoff {
    limit: Duration,
    random: RandomState,
    count: u64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { limit: FIRST, random: RandomState::new(), count: 0 }
    }
}

impl Backoff {
    /// The next wait: between half the limit of this turn and the limit.
    pub(super) fn next(&mut self) -> Duration {
        let wait = self.limit / 2 + self.part_of(self.limit / 2);
        self.limit = LONGEST.min(self.limit * 2);
        wait
    }

    /// After a success.
    pub(super) fn reset(&mut self) {
        self.limit = FIRST;
    }

    /// Something between nothing and the whole.
    pub(super) fn part_of(&mut self, whole: Duration) -> Duration {
        self.count += 1;
        let drawn = self.random.hash_one(self.count) % 1024;
        whole * u32::try_from(drawn).unwrap_or_default() / 1024
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit_and_begin_again_after_a_success() {
        let mut backoff = Backoff::default();
        for limit in [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000].map(Duration::from_millis) {
            let wait = backoff.next();
            assert!(limit / 2 <= wait && wait <= limit, "{wait:?} of {limit:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }

    #[test]
    fn two_agents_do_not_wait_alike() {
        let waits = |mut backoff: Backoff| (0..8).map(|_| backoff.next()).collect::<Vec<_>>();
        assert_ne!(waits(Backoff::default()), waits(Backoff::default()));
    }
}
