//! Work that may hang, and somebody who does not wait for ever. The work has a thread of its own,
//! which ends with the process at the latest.

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
