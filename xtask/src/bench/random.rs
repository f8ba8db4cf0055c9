//! Random numbers that a seed repeats.

/// `SplitMix64`.
#[derive(Clone, Debug)]
pub(super) struct Random {
    state: u64,
}

impl Random {
    /// The sequence of a seed.
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Puts things into another order, each as likely as any.
    pub(super) fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            let chosen = self.next() % (last as u64 + 1);
            things.swap(last, usize::try_from(chosen).unwrap_or(last));
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
}
