//! How many flows tell who takes them.

/// Once in so many probes, at most, a choice among equals looks like another one by chance.
const RARITY: f64 = 1e9;

/// More endpoints are not told one by one.
pub(super) const FEW: usize = 4;

/// Of more, each is chosen so often on average: half of them are missed once in 10¹¹ times.
const EACH: u32 = 10;

/// How many flows reach every one of some endpoints, of which each is as likely as any, but for a
/// chance of one in [`RARITY`]; or most of them, if they are not few.
pub(super) fn flows(endpoints: usize) -> u32 {
    let is_few = endpoints <= FEW;
    let Ok(endpoints @ 2..) = u32::try_from(endpoints) else { return 1 };
    if !is_few {
        return EACH * endpoints;
    }
    let count = f64::from(endpoints);
    let flows = ((count * RARITY).ln() / -(1.0 - 1.0 / count).ln()).ceil();
    // There is no conversion that could fail; it is below 100 for few endpoints.
    (1..u32::MAX).find(|candidate| f64::from(*candidate) >= flows).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::flows;

    #[test]
    fn more_endpoints_take_more_flows() {
        assert_eq!([0, 1, 2, 3, 4, 8, 16].map(flows), [1, 1, 31, 54, 77, 80, 160]);
    }

    #[test]
    fn no_endpoint_is_missed_by_chance() {
        for endpoints in 2..=4_u32 {
            let count = f64::from(endpoints);
            let number = flows(usize::try_from(endpoints).unwrap());
            let missed = count * (1.0 - 1.0 / count).powf(f64::from(number));
            assert!(missed < 1e-9, "{endpoints} endpoints: {missed}");
        }
    }
}
