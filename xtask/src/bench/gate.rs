//! Which windows count: those during which the machine was as fast as it ever is.

/// How much slower than the floor a calibration may be, in percent.
pub(super) const TOLERANCE: u64 = 8;

/// One measurement, with the calibrations just before and after it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    /// What was measured.
    pub(super) value: f64,
    /// Nanoseconds.
    pub(super) before: u64,
    /// Nanoseconds.
    pub(super) after: u64,
    /// Whether everything arrived that was sent, all of it by then.
    pub(super) is_whole: bool,
}

/// The fastest calibration so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gate {
    floor: u64,
}

impl Gate {
    /// A gate for a machine that was calibrated once.
    pub(super) fn new(calibration: u64) -> Self {
        Self { floor: calibration }
    }

    /// The fastest calibration, in nanoseconds.
    pub(super) fn floor(self) -> u64 {
        self.floor
    }

    /// The slowest calibration that counts as quiet.
    pub(super) fn limit(self) -> u64 {
        self.floor + self.floor * TOLERANCE / 100
    }

    /// Lowers the floor to a faster calibration.
    pub(super) fn learn(&mut self, window: &Window) {
        self.floor = self.floor.min(window.before).min(window.after);
    }

    /// Whether the window is whole and it was quiet on both sides of it.
    pub(super) fn admits(self, window: &Window) -> bool {
        window.is_whole && window.before.max(window.after) <= self.limit()
    }

    /// The values of the windows that count.
    pub(super) fn values(self, windows: &[Window]) -> Vec<f64> {
        windows.iter().filter(|window| self.admits(window)).map(|window| window.value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Gate, Window};

    fn window(value: f64, before: u64, after: u64) -> Window {
        Window { value, before, after, is_whole: true }
    }

    #[test]
    fn a_window_counts_if_it_was_quiet_on_both_sides() {
        let gate = Gate::new(1000);
        for (before, after, counts) in [
            (1000, 1000, true),
            (1080, 1080, true),
            (1081, 1000, false),
            (1000, 1081, false),
            (1700, 1700, false),
            (900, 900, true),
        ] {
            assert_eq!(gate.admits(&window(1.0, before, after)), counts, "{before} {after}");
        }
    }

    #[test]
    fn a_window_that_lost_something_does_not_count() {
        let window = Window { is_whole: false, ..window(1.0, 1000, 1000) };
        assert!(!Gate::new(1000).admits(&window));
    }

    #[test]
    fn a_faster_calibration_takes_back_what_was_admitted_before() {
        let mut gate = Gate::new(1500);
        let windows = [window(9.0, 1500, 1510), window(5.0, 1010, 1000), window(8.0, 1500, 1000)];
        assert_eq!(gate.values(&windows[..1]), [9.0]);
        windows.iter().for_each(|window| gate.learn(window));
        assert_eq!((gate.floor(), gate.values(&windows)), (1000, vec![5.0]));
    }
}
