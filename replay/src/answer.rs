//! What the server says in place of the truth.

use std::time::Duration;

use serde_json::json;

/// An answer to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A whole body.
    Body {
        /// The status.
        code: u16,
        /// `Retry-After`: seconds, if it is well-formed.
        retry_after: Option<String>,
        /// The body.
        body: Vec<u8>,
    },
    /// A body in chunks, which ends in order after the last piece.
    Stream(Vec<Piece>),
    /// Nothing, for ever.
    Silence,
    /// The connection ends without a word.
    Reset,
}

/// A part of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text, as one chunk.
    Text(String),
    /// Bytes that are no text, as one chunk.
    Bytes(&'static [u8]),
    /// Time passes.
    Pause(Duration),
    /// Nothing more comes, and the stream does not end.
    Silence,
    /// The connection ends in the middle of the stream.
    Cut,
}

impl Answer {
    /// A refusal in the API's own form.
    #[must_use]
    pub fn refusal(code: u16, reason: &str, message: &str) -> Self {
        let body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "code": code,
        });
        Self::Body { code, retry_after: None, body: body.to_string().into() }
    }

    /// A refusal for being busy, with the time after which to come again.
    #[must_use]
    pub fn busy(retry_after: &str) -> Self {
        let body = "Too many requests, please try again later.".into();
        Self::Body { code: 429, retry_after: Some(retry_after.to_owned()), body }
    }

    /// A whole body of status 200.
    #[must_use]
    pub fn body(body: impl Into<Vec<u8>>) -> Self {
        Self::Body { code: 200, retry_after: None, body: body.into() }
    }

    /// A stream of events, each a line of its own.
    #[must_use]
    pub fn events<'a>(lines: impl IntoIterator<Item = &'a str>) -> Self {
        let piece = |line: &str| Piece::Text(format!("{line}\n"));
        Self::Stream(lines.into_iter().map(piece).collect())
    }
}
