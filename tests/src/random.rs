//! Chance that can be repeated.

use std::{
    env,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};

/// A sequence of numbers that a seed determines.
pub struct Random {
    state: u64,
}

impl Random {
    /// Begins with `WAGGLE_SEED`, or with the time, and says so.
    ///
    /// # Errors
    /// When that is no number.
    #[expect(clippy::print_stdout, reason = "a failure is repeated by its seed")]
    pub fn announced() -> Result<Self> {
        let seed = match env::var("WAGGLE_SEED") {
            Ok(seed) => seed.parse().with_context(|| format!("WAGGLE_SEED={seed}"))?,
            Err(_) => SystemTime::now().duration_since(UNIX_EPOCH)?.subsec_nanos().into(),
        };
        println!("WAGGLE_SEED={seed}");
        Ok(Self { state: seed })
    }

    /// A number below a bound: splitmix64.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// Another sequence, for somebody who draws at the same time.
    #[must_use]
    pub fn part(&mut self) -> Self {
        Self { state: self.below(u64::MAX) }
    }

    /// A time below a bound.
    pub fn time_below(&mut self, bound: Duration) -> Duration {
        let micros = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.below(micros))
    }
}

/// Whether everything is to be tried, however long that takes: `WAGGLE_FULL` is set.
#[must_use]
pub fn is_full() -> bool {
    env::var_os("WAGGLE_FULL").is_some()
}

/// How often something is repeated: as `WAGGLE_RESTART_ROUNDS` says, or by default.
///
/// # Errors
/// When that is no number.
pub fn rounds(default: u32) -> Result<u32> {
    match env::var("WAGGLE_RESTART_ROUNDS") {
        Ok(rounds) => rounds.parse().with_context(|| format!("WAGGLE_RESTART_ROUNDS={rounds}")),
        Err(_) => Ok(default),
    }
}
