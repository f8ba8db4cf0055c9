//! What is answered, in the bytes that Go's `net/http` would write: headers in order of their names,
//! then Date and Content-Length.

use std::collections::BTreeMap;

use http::header::{CONTENT_LENGTH, DATE, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// Headers by their names in lower case, without Date and Content-Length.
    pub headers: BTreeMap<&'static str, String>,
    /// The body.
    pub body: String,
}

impl Reply {
    /// A text of a type that no browser is to guess.
    #[must_use]
    pub fn new(status: StatusCode, content_type: &str, body: impl Into<String>) -> Self {
        let headers = [("content-type", content_type), ("x-content-type-options", "nosniff")];
        let headers = headers.map(|(name, value)| (name, value.to_owned())).into();
        Self { status, headers, body: body.into() }
    }

    /// JSON.
    #[must_use]
    pub fn json(status: StatusCode, body: impl Into<String>) -> Self {
        Self::new(status, "application/json", body)
    }

    /// Plain text.
    #[must_use]
    pub fn text(body: impl Into<String>) -> Self {
        Self::new(StatusCode::OK, "text/plain; charset=utf-8", body)
    }

    /// The answer where there is nothing.
    #[must_use]
    pub fn not_found() -> Self {
        Self { status: StatusCode::NOT_FOUND, ..Self::text("404 page not found\n") }
    }

    /// The same with one header more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.insert(name, value.into());
        self
    }

    pub(super) fn into_response(self, now: Timestamp) -> Response<Full<Bytes>> {
        let Self { status, headers, body } = self;
        let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&now);
        let length = HeaderValue::from(body.len());
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        let written = response.headers_mut();
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::try_from(value) {
                written.insert(HeaderName::from_static(name), value);
            }
        }
        if let Some(date) = date.ok().and_then(|date| HeaderValue::try_from(date).ok()) {
            written.insert(DATE, date);
        }
        written.insert(CONTENT_LENGTH, length);
        response
    }
}
