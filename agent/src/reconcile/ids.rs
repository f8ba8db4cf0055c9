//! Identifiers of ServicePorts and of backends: dense, and not used again at once.

use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

use dataplane_common::abi::BackendId;

use super::QUARANTINE;

/// Numbers from 1 on.
#[derive(Debug)]
pub struct IdPool {
    /// Below `next`, and not in use.
    free: BTreeSet<u32>,
    quarantined: VecDeque<(Instant, u32)>,
    next: u32,
    end: u32,
}

/// Identifiers of backends, with the generation that tells owners of one apart.
#[derive(Debug)]
pub struct BackendIds {
    pool: IdPool,
    generations: Vec<u16>,
}

impl IdPool {
    /// A pool of the numbers from 1 to before `end`, of which `used` are in use.
    ///
    /// Free numbers need no quarantine here: no reader of the kernel outlives the agent that gave
    /// them up.
    #[must_use]
    pub fn restore(used: &BTreeSet<u32>, end: u32) -> Self {
        // Damaged maps may hold any number.
        let last = used.range(..end).next_back();
        let next = last.map_or(1, |last| last.saturating_add(1));
        let free = (1..next).filter(|id| !used.contains(id)).collect();
        Self { free, quarantined: VecDeque::new(), next, end }
    }

    /// The lowest number that may be used.
    pub fn take(&mut self, now: Instant) -> Option<u32> {
        while let Some((since, id)) = self.quarantined.front().copied() {
            if now.saturating_duration_since(since) < QUARANTINE {
                break;
            }
            self.quarantined.pop_front();
            self.free.insert(id);
        }
        self.free.pop_first().or_else(|| {
            let id = self.next;
            (id < self.end).then(|| self.next += 1)?;
            Some(id)
        })
    }

    /// Gives a number back.
    pub fn give_back(&mut self, id: u32, now: Instant) {
        if (1..self.end).contains(&id) {
            self.quarantined.push_back((now, id));
        }
    }
}

impl BackendIds {
    /// Identifiers below `end`, of which `used` are in use; `generations` are those last seen.
    #[must_use]
    pub fn restore(
        used: &BTreeSet<u32>,
        generations: impl IntoIterator<Item = (BackendId, u16)>,
        end: u32,
    ) -> Self {
        let mut ids = Self { pool: IdPool::restore(used, end), generations: Vec::new() };
        for (id, generation) in generations {
            *ids.generation(id) = generation;
        }
        ids
    }

    /// An identifier, with a generation that its last owner did not have.
    pub fn take(&mut self, now: Instant) -> Option<(BackendId, u16)> {
        let id = BackendId(self.pool.take(now)?);
        let generation = self.generation(id);
        // An element that was never written has generation 0.
        *generation = generation.checked_add(1).unwrap_or(1);
        Some((id, *generation))
    }

    /// Gives an identifier back.
    pub fn give_back(&mut self, id: BackendId, now: Instant) {
        self.pool.give_back(id.0, now);
    }

    fn generation(&mut self, id: BackendId) -> &mut u16 {
        let index = id.0 as usize;
        if self.generations.len() <= index {
            self.generations.resize(index + 1, 0);
        }
        &mut self.generations[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_dense_and_rest_before_they_are_used_again() {
        let mut pool = IdPool::restore(&BTreeSet::from([2]), 5);
        let start = Instant::now();
        assert_eq!(
            [pool.take(start), pool.take(start), pool.take(start)],
            [Some(1), Some(3), Some(4)]
        );
        assert_eq!(pool.take(start), None);
        pool.give_back(3, start);
        pool.give_back(1, start);
        assert_eq!(pool.take(start + QUARANTINE / 2), None);
        assert_eq!(pool.take(start + QUARANTINE), Some(1));
        assert_eq!(pool.take(start + QUARANTINE), Some(3));
    }

    #[test]
    fn each_owner_of_an_identifier_has_another_generation() {
        let used = BTreeSet::new();
        let mut ids = BackendIds::restore(&used, [(BackendId(1), u16::MAX), (BackendId(2), 7)], 9);
        let start = Instant::now();
        assert_eq!(ids.take(start), Some((BackendId(1), 1)));
        assert_eq!(ids.take(start), Some((BackendId(2), 8)));
        assert_eq!(ids.take(start), Some((BackendId(3), 1)));
        ids.give_back(BackendId(2), start);
        assert_eq!(ids.take(start + QUARANTINE), Some((BackendId(2), 9)));
    }
}
