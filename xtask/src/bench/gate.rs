//! Which windows count: those during which the machine was about as fast as ever in their round.

/// How much slower than the fastest of its round a calibration may be, in percent; tried in this order.
pub(super) const TOLERANCES: [u64; 3] = [8, 15, 30];

/// Quiet pairs that each variant has, or the next tolerance is taken.
pub(super) const ENOUGH: usize = 12;

/// One measurement, with the calibrations just before and after it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    /// What was measured.
    pub(super) value: f64,
    /// Nanoseconds.
    pub(super) before: u64,
    /// Nanoseconds.
    pub(super) after: u64,
    /// The fastest calibration of the round.
    pub(super) floor: u64,
    /// Whether everything arrived that was sent, all of it by then.
    pub(super) is_whole: bool,
}

impl Window {
    /// One in which nothing was lost, the only one of its round until others are known.
    pub(super) fn whole(value: f64, before: u64, after: u64) -> Self {
        Self { value, before, after, floor: before.min(after), is_whole: true }
    }
}

/// How much slower than the fastest of its round a calibration may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gate {
    /// Percent.
    pub(super) tolerance: u64,
}

impl Gate {
    /// The strictest gate.
    pub(super) fn strict() -> Self {
        Self { tolerance: TOLERANCES[0] }
    }

    /// The strictest gate by which each of `all` has enough quiet pairs with the reference; one
    /// for all of them, since windows of different gates are not alike.
    pub(super) fn choose(all: &[&[Window]], reference: &[Window]) -> Option<Self> {
        TOLERANCES
            .map(|tolerance| Self { tolerance })
            .into_iter()
            .find(|gate| all.iter().all(|windows| gate.pairs(windows, reference).len() >= ENOUGH))
    }

    /// Whether the window is whole and it was quiet on both sides of it.
    pub(super) fn admits(self, window: &Window) -> bool {
        let limit = window.floor + window.floor * self.tolerance / 100;
        window.is_whole && window.before.max(window.after) <= limit
    }

    /// The values of the windows that count.
    pub(super) fn values(self, windows: &[Window]) -> Vec<f64> {
        windows.iter().filter(|window| self.admits(window)).map(|window| window.value).collect()
    }

    /// A value over that of the reference, for each round in which both windows count.
    pub(super) fn pairs(self, windows: &[Window], reference: &[Window]) -> Vec<f64> {
        let both = windows.iter().zip(reference);
        both.filter(|(own, other)| self.admits(own) && self.admits(other))
            .map(|(own, other)| own.value / other.value)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{ENOUGH, Gate, Window};

    fn window(value: f64, before: u64, after: u64) -> Window {
        Window { value, before, after, floor: 1000, is_whole: true }
    }

    #[test]
    fn a_window_counts_if_it_was_quiet_on_both_sides() {
        let gate = Gate::strict();
        for (before, after, counts) in [
            (1000, 1000, true),
            (1080, 1080, true),
            (1081, 1000, false),
            (1000, 1081, false),
            (1700, 1700, false),
        ] {
            assert_eq!(gate.admits(&window(1.0, before, after)), counts, "{before} {after}");
        }
    }

    #[test]
    fn a_window_that_lost_something_does_not_count() {
        let window = Window { is_whole: false, ..window(1.0, 1000, 1000) };
        assert!(!Gate::strict().admits(&window));
    }

    #[test]
    fn pairs_are_of_rounds_that_were_quiet_for_both() {
        let own = [window(6.0, 1000, 1000), window(8.0, 1000, 1000), window(9.0, 1000, 1500)];
        let other = [window(3.0, 1000, 1000), window(1.0, 1500, 1000), window(1.0, 1000, 1000)];
        assert_eq!(Gate::strict().pairs(&own, &other), [2.0]);
    }

    #[test]
    fn the_gate_is_as_strict_as_the_noisiest_variant_allows_for_all_of_them() {
        let quiet = |count, calibration| {
            let mut windows = vec![window(1.0, 1900, 1000); 20];
            windows[..count].fill(window(1.0, 1000, calibration));
            windows
        };
        for (rows, expected) in [
            ([(ENOUGH, 1080), (ENOUGH, 1080)], Some(8)),
            ([(ENOUGH, 1080), (ENOUGH - 1, 1080)], None),
            ([(ENOUGH, 1080), (ENOUGH, 1150)], Some(15)),
            ([(ENOUGH, 1151), (ENOUGH, 1080)], Some(30)),
            ([(20, 1301), (20, 1000)], None),
        ] {
            let windows = rows.map(|(count, calibration)| quiet(count, calibration));
            let all = [windows[0].as_slice(), windows[1].as_slice()];
            let chosen = Gate::choose(&all, all[0]).map(|gate| gate.tolerance);
            assert_eq!(chosen, expected, "{rows:?}");
        }
    }
}
