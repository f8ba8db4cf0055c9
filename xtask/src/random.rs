//! Random numbers that a seed repeats.

/// `SplitMix64`.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// The sequence of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The sequence of one of the numbered parts of what a seed determines.
    pub(crate) fn of_part(seed: u64, part: u64) -> Self {
        Self { state: Self::new(seed).next() ^ Self::new(!part).next() }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below a bound, which is not 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap_or_default()
    }

    /// True once in so many times.
    pub(crate) fn is_one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of some things, of which there is one at least.
    pub(crate) fn pick<'a, T>(&mut self, things: &'a [T]) -> &'a T {
        &things[self.below(things.len())]
    }

    /// Puts things into another order, each as likely as any.
    pub(crate) fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            let chosen = self.below(last + 1);
            things.swap(last, chosen);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Random;

    #[test]
    fn a_seed_repeats_its_orders_and_all_orders_come() {
        let orders = |seed| {
            let mut random = Random::new(seed);
            let mut order = [0, 1, 2];
            let shuffled = || {
                random.shuffle(&mut order);
                order
            };
            std::iter::repeat_with(shuffled).take(100).collect::<Vec<_>>()
        };
        assert_eq!(orders(7), orders(7));
        assert_eq!(orders(7).into_iter().collect::<BTreeSet<_>>().len(), 6);
    }

    #[test]
    fn every_part_of_a_seed_has_a_sequence_of_its_own() {
        let first = |seed, part| Random::of_part(seed, part).below(usize::MAX);
        let seen: BTreeSet<usize> =
            (0..20).flat_map(|seed| (0..20).map(move |part| first(seed, part))).collect();
        assert_eq!(seen.len(), 400);
    }
}
