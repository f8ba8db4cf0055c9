//! A stream that a pod receives while a test does something else.

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
};

use anyhow::{Context as _, Result};
use xtask::{
    topology::Netns,
    workload::{Progress, receive_stream},
};

use super::{
    cluster::{ANSWER, wait_until},
    services::Way,
};

/// A stream under way.
pub(super) struct Stream {
    way: Way,
    progress: Arc<Progress>,
    receiver: JoinHandle<Result<()>>,
}

impl Stream {
    /// Asks for it and waits until it flows.
    pub(super) fn begin(netns: &Netns, way: Way) -> Result<Self> {
        let progress = Arc::new(Progress::new());
        let (netns, shared) = (netns.clone(), Arc::clone(&progress));
        let receiver = thread::spawn(move || {
            netns.run(|| receive_stream(way.address, ANSWER, &shared))??;
            Ok(())
        });
        wait_until(|| Ok(receiver.is_finished() || progress.arrived() > 20))?;
        Ok(Self { way, progress, receiver })
    }

    /// Lets it flow a little more; every byte must have come until then.
    pub(super) fn finish(self) -> Result<()> {
        let Self { way, progress, receiver } = self;
        progress.finish();
        let outcome = receiver.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        outcome.with_context(|| format!("stream {way:?} after {} blocks", progress.arrived()))
    }
}
