//! Which period of session affinity a ServicePort is in: entries of an earlier one are nobody's.

use dataplane_common::abi::Service;

/// Whether affinity is on, and since which switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Affinity {
    is_on: bool,
    epoch: u16,
}

impl Affinity {
    /// As a frontend found in the maps has it.
    pub(super) const fn of(service: &Service) -> Self {
        Self { is_on: service.affinity_seconds > 0, epoch: service.affinity_epoch }
    }

    /// The newer of two that a change which was cut off may have left, by serial number
    /// (RFC 1982).
    pub(super) const fn or_newer(self, other: Self) -> Self {
        const HALF: u16 = 1 << 15;
        let ahead = other.epoch.wrapping_sub(self.epoch);
        if ahead > 0 && ahead < HALF { other } else { self }
    }

    /// Switches it on or off, or leaves it as it is.
    pub(super) const fn switch(&mut self, is_on: bool) {
        if self.is_on != is_on {
            *self = Self { is_on, epoch: self.epoch.wrapping_add(1) };
        }
    }

    pub(super) const fn epoch(self) -> u16 {
        self.epoch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_switch_begins_an_epoch_and_nothing_else_does() {
        let mut affinity = Affinity { is_on: false, epoch: u16::MAX - 1 };
        let epochs = [false, true, true, false, true].map(|is_on| {
            affinity.switch(is_on);
            affinity.epoch()
        });
        assert_eq!(epochs, [u16::MAX - 1, u16::MAX, u16::MAX, 0, 1]);
    }

    #[test]
    fn the_newest_of_what_was_left_counts_also_past_the_last_number() {
        let affinity = |is_on, epoch| Affinity { is_on, epoch };
        for (one, other, newest) in [(3, 4, 4), (u16::MAX, 0, 0), (1, u16::MAX, 1), (7, 7, 7)] {
            let (one, other) = (affinity(one % 2 == 1, one), affinity(other % 2 == 1, other));
            let expected = affinity(newest % 2 == 1, newest);
            assert_eq!(
                [one.or_newer(other), other.or_newer(one)],
                [expected; 2],
                "{one:?} {other:?}"
            );
        }
    }
}
