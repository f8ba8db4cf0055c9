//! The processor that everything measured shares.

use std::{io, mem};

use anyhow::{Context as _, Result};
use rustix::thread::{CpuSet, sched_setaffinity};

/// Above all ordinary work, below what the kernel itself keeps higher.
const PRIORITY: libc::c_int = 10;

/// Binds this thread to a processor and puts it before ordinary work there; says whether the
/// latter was allowed.
pub(super) fn claim(cpu: usize) -> Result<bool> {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).with_context(|| format!("moving to processor {cpu}"))?;
    // SAFETY: all-zero bytes are a valid sched_param.
    let mut parameters: libc::sched_param = unsafe { mem::zeroed() };
    parameters.sched_priority = PRIORITY;
    // SAFETY: the pointer is to a live value, and 0 is this thread.
    let outcome = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) };
    Ok(outcome == 0)
}

/// The last processor: interrupts and other work prefer the first.
pub(super) fn last() -> Result<usize> {
    let set = rustix::thread::sched_getaffinity(None).map_err(io::Error::from)?;
    (0..CpuSet::MAX_CPU).rev().find(|cpu| set.is_set(*cpu)).context("no processor is allowed")
}
