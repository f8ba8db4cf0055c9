//! A stream that a pod receives while a test does something else.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread::{self, JoinHandle},
};

use anyhow::{Context as _, Result, ensure};
use xtask::{topology::Netns, workload::receive_stream};

use super::{
    cluster::{ANSWER, wait_until},
    services::Way,
};

/// Some two seconds of stream.
const BLOCKS: u32 = 1000;

/// A stream under way.
pub(super) struct Stream {
    way: Way,
    arrived: Arc<AtomicU32>,
    receiver: JoinHandle<Result<()>>,
}

impl Stream {
    /// Asks for it and waits until it flows.
    pub(super) fn begin(netns: &Netns, way: Way) -> Result<Self> {
        let arrived = Arc::new(AtomicU32::new(0));
        let (netns, count) = (netns.clone(), Arc::clone(&arrived));
        let receiver = thread::spawn(move || {
            netns.run(|| receive_stream(way.address, BLOCKS, ANSWER, &count))??;
            Ok(())
        });
        wait_until(|| Ok(receiver.is_finished() || arrived.load(Ordering::Relaxed) > 20))?;
        Ok(Self { way, arrived, receiver })
    }

    /// Waits for its end, which must be still to come, and for every byte.
    pub(super) fn finish(self) -> Result<()> {
        let Self { way, arrived, receiver } = self;
        let at = arrived.load(Ordering::Relaxed);
        let outcome = receiver.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        outcome.with_context(|| format!("stream {way:?} after {arrived:?} blocks"))?;
        ensure!(at < BLOCKS, "the stream {way:?} ended before what it was to survive");
        Ok(())
    }
}
