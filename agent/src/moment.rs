//! A point in time, for people and for measuring.

use std::time::Instant;

use jiff::Timestamp;

/// A point in time by two clocks: one that people read and that may jump, one that does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// For people.
    pub wall: Timestamp,
    /// For measuring.
    pub steady: Instant,
}

impl Moment {
    /// This one.
    #[must_use]
    pub fn now() -> Self {
        Self { wall: Timestamp::now(), steady: Instant::now() }
    }
}
