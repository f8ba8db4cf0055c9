//! An answer in time. Whoever asks for STATUS may wait without a limit and hold up all pods of the
//! node meanwhile, so nothing that hangs may keep the answer back: the work has a thread of its
//! own, which ends with the process.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// The outcome of some work; none when it takes longer than it may, or ends without one.
pub(crate) fn within<T: Send + 'static>(
    patience: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (done, outcome) = mpsc::channel();
    // Nobody may listen any more.
    let work = move || drop(done.send(work()));
    thread::Builder::new().name("watched".into()).spawn(work).ok()?;
    outcome.recv_timeout(patience).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_hangs_is_not_waited_for() {
        let (release, hanging) = mpsc::channel::<()>();
        let late = within(Duration::from_millis(10), move || hanging.recv().is_ok());
        assert_eq!(late, None);
        drop(release);
        assert_eq!(within(Duration::from_mins(1), || 7), Some(7));
    }
}
