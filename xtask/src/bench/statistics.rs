//! Medians and quartiles: what a few lucky or unlucky windows cannot move.

/// Where the middle of some values lies and how far they spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    /// Half of the values are below it.
    pub(super) median: f64,
    /// A quarter of the values is below it.
    pub(super) low: f64,
    /// A quarter of the values is above it.
    pub(super) high: f64,
}

impl Spread {
    /// The spread of any values at all.
    pub(super) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let quarter = |quarters| quantile(&values, quarters);
        Some(Self { median: quarter(2)?, low: quarter(1)?, high: quarter(3)? })
    }
}

/// A median, and where the true one lies but for one time in twenty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Estimate {
    pub(super) median: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Estimate {
    /// By order statistics: as many values lie below the true median as a fair coin shows heads,
    /// whatever their distribution. Fewer than six values tell nothing.
    pub(super) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let median = quantile(&values, 2)?;
        let rank = low_rank(values.len()).checked_sub(1)?;
        Some(Self { median, low: values[rank], high: values[values.len() - 1 - rank] })
    }

    /// Whether `value` may be the true median.
    pub(super) fn covers(self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// The rank, from 1, of the interval's lower end: `n / 2 - 1.96 * sqrt(n) / 2`, rounded.
fn low_rank(count: usize) -> usize {
    let width = (38_416 * count / 10_000).isqrt();
    (count + 1).saturating_sub(width + 1) / 2
}

/// The value below which so many quarters of the sorted values lie, between two neighbours in
/// proportion.
fn quantile(sorted: &[f64], quarters: usize) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let (at, beyond) = (last * quarters / 4, last * quarters % 4);
    let (below, above) = (*sorted.get(at)?, *sorted.get(at + 1).or(sorted.last())?);
    let beyond = [0.0, 0.25, 0.5, 0.75][beyond];
    Some(below + (above - below) * beyond)
}

#[cfg(test)]
mod tests {
    use super::{Estimate, Spread, low_rank};

    #[test]
    fn quartiles_lie_between_neighbours_in_proportion() {
        let rows = [
            (vec![7.0], (7.0, 7.0, 7.0)),
            (vec![3.0, 1.0], (2.0, 1.5, 2.5)),
            (vec![5.0, 1.0, 4.0, 2.0, 3.0], (3.0, 2.0, 4.0)),
            (vec![1.0, 2.0, 3.0, 10.0], (2.5, 1.75, 4.75)),
            (vec![1.0, 1.0, 1.0, 1.0, 900.0], (1.0, 1.0, 1.0)),
        ];
        for (values, (median, low, high)) in rows {
            assert_eq!(
                Spread::of(values.clone()),
                Some(Spread { median, low, high }),
                "{values:?}"
            );
        }
    }

    #[test]
    fn the_interval_of_a_median_has_the_ranks_of_the_binomial_distribution() {
        let rows = [(5, 0), (6, 1), (12, 3), (13, 3), (16, 4), (20, 6), (50, 18), (100, 40)];
        for (count, rank) in rows {
            assert_eq!(low_rank(count), rank, "{count}");
        }
    }

    #[test]
    fn a_median_is_estimated_from_what_lies_around_it() {
        let values = [9.0, 1.0, 2.0, 900.0, 5.0, 3.0, 4.0, 6.0, 7.0, 8.0, 10.0, 11.0];
        let estimate = Estimate::of(values.to_vec()).unwrap();
        assert_eq!(estimate, Estimate { median: 6.5, low: 3.0, high: 10.0 });
        assert!(estimate.covers(3.0) && estimate.covers(10.0) && !estimate.covers(2.9));
        assert_eq!(Estimate::of(values[..5].to_vec()), None);
    }

    #[test]
    fn nothing_has_no_median() {
        assert_eq!(Spread::of(Vec::new()), None);
    }
}
