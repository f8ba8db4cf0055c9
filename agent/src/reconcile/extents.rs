//! Which runs of the array `slots` are taken: first fit, neighbours joined, nothing reused at once.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use super::QUARANTINE;

/// The array, as runs that are free.
#[derive(Debug)]
pub struct Extents {
    /// Length by begin; no two touch.
    free: BTreeMap<u32, u32>,
    quarantined: VecDeque<(Instant, u32, u32)>,
}

/// No run is long enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "needs {wanted} slots in a row; of {free} free ones at most {longest} are, and {resting} more \
     are free within seconds"
)]
pub struct NoRoom {
    /// How many were asked for.
    pub wanted: u32,
    /// How many are free in all.
    pub free: u32,
    /// How many are free in a row.
    pub longest: u32,
    /// How many will be free soon.
    pub resting: u32,
}

impl Extents {
    /// An array of `capacity` slots, all free.
    #[must_use]
    pub fn new(capacity: u32) -> Self {
        let free = BTreeMap::from([(0, capacity)]);
        Self { free, quarantined: VecDeque::new() }
    }

    /// Takes the run that begins at `base`, if it is free: for what is in the maps already.
    pub fn claim(&mut self, base: u32, length: u32) -> bool {
        let Some((&start, &run)) = self.free.range(..=base).next_back() else {
            return false;
        };
        let (before, taken_end, end) =
            (base - start, u64::from(base) + u64::from(length), u64::from(start) + u64::from(run));
        if taken_end > end {
            return false;
        }
        self.free.remove(&start);
        self.insert(start, before);
        self.insert(base + length, run - before - length);
        true
    }

    /// Takes a run of `length` slots.
    ///
    /// # Errors
    /// When no free run is that long.
    pub fn take(&mut self, length: u32, now: Instant) -> Result<u32, NoRoom> {
        self.end_quarantine(now);
        let fit = self.free.iter().find(|(_, run)| **run >= length);
        let (start, run) = fit.map(|(start, run)| (*start, *run)).ok_or_else(|| NoRoom {
            wanted: length,
            free: self.free.values().sum(),
            longest: self.free.values().copied().max().unwrap_or(0),
            resting: self.quarantined.iter().map(|(_, _, length)| length).sum(),
        })?;
        self.free.remove(&start);
        self.insert(start + length, run - length);
        Ok(start)
    }

    /// Gives a run back that a reader may still hold.
    pub fn give_back(&mut self, base: u32, length: u32, now: Instant) {
        self.quarantined.push_back((now, base, length));
    }

    fn end_quarantine(&mut self, now: Instant) {
        while let Some((since, base, length)) = self.quarantined.front().copied() {
            if now.saturating_duration_since(since) < QUARANTINE {
                break;
            }
            self.quarantined.pop_front();
            self.join(base, length);
        }
    }

    fn join(&mut self, mut base: u32, mut length: u32) {
        if let Some(run) = self.free.remove(&(base + length)) {
            length += run;
        }
        let before = self.free.range(..base).next_back().map(|(start, run)| (*start, *run));
        if let Some((start, run)) = before.filter(|(start, run)| start + run == base) {
            self.free.remove(&start);
            (base, length) = (start, run + length);
        }
        self.insert(base, length);
    }

    fn insert(&mut self, base: u32, length: u32) {
        if length > 0 {
            self.free.insert(base, length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_run_that_fits_is_taken() {
        let mut extents = Extents::new(10);
        let start = Instant::now();
        assert_eq!([extents.take(3, start), extents.take(4, start)], [Ok(0), Ok(3)]);
        extents.give_back(0, 3, start);
        let later = start + QUARANTINE;
        assert_eq!(extents.take(2, later), Ok(0));
        assert_eq!(extents.take(2, later), Ok(7));
        assert_eq!(extents.take(1, later), Ok(2));
    }

    #[test]
    fn neighbours_join_whatever_the_order_they_come_back_in() {
        let start = Instant::now();
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut extents = Extents::new(9);
            for base in [0, 3, 6] {
                assert_eq!(extents.take(3, start), Ok(base));
            }
            for part in order {
                extents.give_back(part * 3, 3, start);
            }
            assert_eq!(extents.take(9, start + QUARANTINE), Ok(0), "{order:?}");
        }
    }

    #[test]
    fn a_fragmented_array_says_so() {
        let mut extents = Extents::new(6);
        let start = Instant::now();
        for base in 0..6 {
            assert_eq!(extents.take(1, start), Ok(base));
        }
        for base in [0, 2, 4] {
            extents.give_back(base, 1, start);
        }
        let later = start + QUARANTINE;
        extents.give_back(5, 1, later);
        let expected = NoRoom { wanted: 2, free: 3, longest: 1, resting: 1 };
        assert_eq!(extents.take(2, later), Err(expected));
        assert_eq!(extents.take(2, later + QUARANTINE), Ok(4));
    }

    #[test]
    fn what_is_in_the_maps_can_be_claimed_once() {
        let mut extents = Extents::new(10);
        for (base, length, expected) in
            [(4, 2, true), (4, 2, false), (3, 2, false), (8, 3, false), (6, 4, true), (0, 4, true)]
        {
            assert_eq!(extents.claim(base, length), expected, "{base}+{length}");
        }
        assert!(extents.take(1, Instant::now()).is_err());
    }
}
