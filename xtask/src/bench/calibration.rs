//! A loop of a known length: how long it takes says how fast the machine is just now.

use std::{hint::black_box, time::Instant};

/// About half a millisecond: a tick of the clock in between is one percent of it.
const TURNS: u64 = 500_000;

/// Nanoseconds that the loop takes now.
///
/// Four independent chains keep the core's execution units busy, so that another job on the same
/// core's other thread shows as well as one that takes the processor away.
pub(super) fn calibrate() -> u64 {
    let start = Instant::now();
    let mut chains = black_box([1_u64, 2, 3, 4]);
    for turn in 0..black_box(TURNS) {
        for chain in &mut chains {
            *chain = chain.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(turn);
        }
    }
    black_box(chains);
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// The fastest of many calibrations.
pub(super) fn fastest(of: u32) -> u64 {
    (0..of).map(|_| calibrate()).min().unwrap_or(u64::MAX)
}
