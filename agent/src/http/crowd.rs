//! How many connections are served at once.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::task::AbortHandle;

/// The connections of one or more sockets. When there are too many the oldest makes way: whoever
/// asks at once is answered, and only who holds on without asking is ever the oldest.
#[derive(Debug)]
pub struct Crowd {
    most: usize,
    inside: Mutex<VecDeque<AbortHandle>>,
}

impl Crowd {
    /// Of at most so many connections.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, inside: Mutex::default() }
    }

    /// One more connection.
    pub(super) fn admit(&self, connection: AbortHandle) {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        inside.retain(|connection| !connection.is_finished());
        if inside.len() >= self.most
            && let Some(oldest) = inside.pop_front()
        {
            oldest.abort();
        }
        inside.push_back(connection);
    }
}
