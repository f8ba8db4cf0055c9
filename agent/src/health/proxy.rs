//! When a proxy is well: as long as, in each family, no change waits for too long to be programmed.
//! However long ago the last one was, without a change there is nothing to do.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use dataplane_common::abi::Family;
use jiff::Timestamp;

use super::Moment;

/// What a proxy had to do and has done, in each family. A family counts once it was programmed for
/// the first time: while a proxy starts it is well.
#[derive(Clone, Debug)]
pub struct ProxyHealth {
    patience: Duration,
    families: BTreeMap<Family, Progress>,
}

#[derive(Clone, Copy, Debug)]
struct Progress {
    updated: Timestamp,
    /// Since when a change waits.
    waiting: Option<Instant>,
}

/// How a proxy is at some moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyState {
    /// Whether no family waits for too long.
    pub is_healthy: bool,
    /// When any family was last programmed.
    pub updated: Option<Timestamp>,
    /// Each family.
    pub families: BTreeMap<Family, FamilyHealth>,
}

/// How a proxy is in one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FamilyHealth {
    /// When it was last programmed.
    pub updated: Timestamp,
    /// Whether no change waits for too long.
    pub is_healthy: bool,
}

impl ProxyHealth {
    /// Of a proxy that may take less than `patience` for a change.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        Self { patience, families: BTreeMap::new() }
    }

    /// There is a change to be programmed. Only the oldest that waits counts.
    pub fn queued(&mut self, family: Family, now: Moment) {
        if let Some(progress) = self.families.get_mut(&family) {
            progress.waiting.get_or_insert(now.steady);
        }
    }

    /// All that was queued is programmed.
    pub fn updated(&mut self, family: Family, now: Moment) {
        self.families.insert(family, Progress { updated: now.wall, waiting: None });
    }

    /// How it is.
    #[must_use]
    pub fn state(&self, now: Moment) -> ProxyState {
        let family = |(family, progress): (&Family, &Progress)| {
            let Progress { updated, waiting } = *progress;
            let is_late = |since| now.steady.saturating_duration_since(since) >= self.patience;
            (*family, FamilyHealth { updated, is_healthy: !waiting.is_some_and(is_late) })
        };
        let families: BTreeMap<_, _> = self.families.iter().map(family).collect();
        ProxyState {
            is_healthy: families.values().all(|family| family.is_healthy),
            updated: families.values().map(|family| family.updated).max(),
            families,
        }
    }
}
