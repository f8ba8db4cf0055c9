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
    use super::Spread;

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
    fn nothing_has_no_median() {
        assert_eq!(Spread::of(Vec::new()), None);
    }
}
