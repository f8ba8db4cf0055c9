//! Clock and random numbers: the kernel's, unless a test has overridden them.

use aya_ebpf::helpers::generated::{
    bpf_get_prandom_u32, bpf_ktime_get_coarse_ns, bpf_ktime_get_ns,
};
use dataplane_common::abi::Clock;
use dataplane_common::flow::Env;

use crate::config::config;

pub(crate) struct KernelEnv;

const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

impl Env for KernelEnv {
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "seconds of uptime fit for 136 years")]
    fn now(&self) -> u32 {
        let config = config();
        // The verifier leaves out the branches that the configuration does not take.
        let nanoseconds = if config.clock_override != 0 {
            config.clock_override
        } else if config.clock == Clock::Coarse.number() {
            // SAFETY: the helper takes no arguments.
            unsafe { bpf_ktime_get_coarse_ns() }
        } else {
            // SAFETY: as above.
            unsafe { bpf_ktime_get_ns() }
        };
        (nanoseconds / NANOSECONDS_PER_SECOND) as u32
    }

    #[inline(always)]
    fn random(&self) -> u32 {
        let config = config();
        match config.random_overridden {
            // SAFETY: the helper takes no arguments.
            0 => unsafe { bpf_get_prandom_u32() },
            _ => config.random_override,
        }
    }
}
