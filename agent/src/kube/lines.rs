//! The lines of a body, as they arrive.

use std::time::Duration;

use http_body_util::BodyExt as _;
use kube::client::Body;
use tokio::time::timeout;

use super::failure::Failure;

/// No object is this long: etcd takes a tenth of it.
const LONGEST: usize = 16 << 20;

/// A body that is read line by line.
pub(super) struct Lines {
    body: Body,
    /// What was received; up to `searched` there is no end of a line.
    buffer: Vec<u8>,
    searched: usize,
    given: usize,
}

impl Lines {
    pub(super) fn new(body: Body) -> Self {
        Self { body, buffer: Vec::new(), searched: 0, given: 0 }
    }

    /// The next whole line; none at the end, in whatever way that came. The bytes of a line that
    /// did not become whole are lost with it.
    pub(super) async fn next(&mut self, patience: Duration) -> Result<Option<&[u8]>, Failure> {
        self.buffer.drain(..self.given);
        self.searched = self.searched.saturating_sub(self.given);
        self.given = 0;
        loop {
            let rest = &self.buffer[self.searched..];
            if let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
                self.given = self.searched + at + 1;
                self.searched = self.given;
                return Ok(Some(&self.buffer[..self.given - 1]));
            }
            self.searched = self.buffer.len();
            if self.searched > LONGEST {
                let cause = format!("an event of more than {LONGEST} bytes");
                return Err(Failure::Unreadable(cause));
            }
            match timeout(patience, self.body.frame()).await {
                Ok(Some(Ok(frame))) => {
                    self.buffer.extend_from_slice(&frame.into_data().unwrap_or_default());
                }
                Ok(None | Some(Err(_))) => return Ok(None),
                Err(_) => return Err(Failure::Silent(patience)),
            }
        }
    }
}

/// A whole body.
pub(super) async fn whole(mut body: Body, patience: Duration) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    loop {
        match timeout(patience, body.frame()).await {
            Ok(Some(Ok(frame))) => {
                bytes.extend_from_slice(&frame.into_data().unwrap_or_default());
            }
            Ok(None) => return Ok(bytes),
            Ok(Some(Err(error))) => {
                return Err(Failure::Unreachable(super::access::chain(&error)));
            }
            Err(_) => return Err(Failure::Silent(patience)),
        }
    }
}
