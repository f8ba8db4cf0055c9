//! Requests, most of all lists and watches of one collection, and what their refusals mean.

use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, Request, Response, StatusCode};
use kube::api::{ListParams, WatchParams};
use kube::client::Body;
use kube::core::{Request as Target, Status};
use tokio::time::{Instant, timeout};

use super::access::chain;
use super::collection::Collection;
use super::entrance::Entrance;
use super::failure::Failure;
use super::lines::{Lines, whole};

/// How long an answer may be silent before it has begun, and a list in the middle of it: longer
/// than the API server itself works on a request.
pub(super) const PATIENCE: Duration = Duration::from_secs(65);

/// How many objects a page may have: as many as kubectl asks for.
const PAGE: u32 = 500;

/// How much of a refusal that is not in the API's form is quoted.
const QUOTED: usize = 200;

/// However long a server asks to be left alone, it is asked again after this: what it asks for may
/// be nonsense, and objects grow old.
const LONGEST_LEAVE: Duration = Duration::from_secs(60);

/// Asks for one collection.
pub(super) struct Requests {
    pub(super) entrance: Entrance,
    pub(super) collection: Collection,
}

/// Which page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    First,
    /// The one that this token stands for.
    Next(String),
    /// All in one.
    Whole,
}

impl Requests {
    /// A page of the list of all objects, as it was sent.
    pub(super) async fn page(&self, part: &Part) -> Result<Vec<u8>, Failure> {
        let parameters = ListParams {
            label_selector: self.collection.selector(),
            limit: (*part != Part::Whole).then_some(PAGE),
            continue_token: match part {
                Part::Next(token) => Some(token.clone()),
                Part::First | Part::Whole => None,
            },
            ..ListParams::default()
        };
        let target = Target::new(self.collection.path());
        let request = match self.collection.is_of_names() {
            true => target.list_metadata(&parameters),
            false => target.list(&parameters),
        };
        whole(self.send(request).await?, PATIENCE).await
    }

    /// What changes after a version, until the server ends the watch after `time`.
    pub(super) async fn watch(&self, version: &str, time: Duration) -> Result<Lines, Failure> {
        let parameters = WatchParams {
            label_selector: self.collection.selector(),
            timeout: u32::try_from(time.as_secs()).ok(),
            bookmarks: true,
            ..WatchParams::default()
        };
        let target = Target::new(self.collection.path());
        let request = match self.collection.is_of_names() {
            true => target.watch_metadata(&parameters, version),
            false => target.watch(&parameters, version),
        };
        Ok(Lines::new(self.send(request).await?))
    }

    async fn send(
        &self,
        request: Result<Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<Body, Failure> {
        let request = request.map_err(|error| Failure::Unreadable(chain(&error)))?;
        send(&self.entrance, request.map(Body::from)).await
    }
}

/// The answer to a request, if it is taken.
pub(super) async fn send(entrance: &Entrance, request: Request<Body>) -> Result<Body, Failure> {
    let (method, began) = (request.method().clone(), Instant::now());
    let sent = timeout(PATIENCE, entrance.client.send(request)).await;
    let status = sent.iter().flatten().next().map(Response::status);
    entrance.count(&method, status, began.elapsed());
    let response = sent
        .map_err(|_| Failure::Silent(PATIENCE))?
        .map_err(|error| Failure::Unreachable(cause(&error)))?;
    if response.status().is_success() {
        Ok(response.into_body())
    } else {
        Err(refusal(response).await)
    }
}

/// Why a request found no answer, without the client's words around it.
fn cause(error: &kube::Error) -> String {
    match error {
        kube::Error::Service(cause) => chain(cause.as_ref()),
        other => chain(other),
    }
}

async fn refusal(response: Response<Body>) -> Failure {
    let status = response.status();
    let after = after(response.headers());
    let body = whole(response.into_body(), PATIENCE).await.unwrap_or_default();
    let message = match serde_json::from_slice::<Status>(&body) {
        Ok(status) => status.message,
        Err(_) => String::from_utf8_lossy(&body).trim().chars().take(QUOTED).collect(),
    };
    meaning(status.as_u16(), message, after)
}

/// How long the server asks to be left alone. The API gives seconds, and never a date.
fn after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(LONGEST_LEAVE.min(Duration::from_secs(seconds)))
}

/// What a refusal means, be it a response or an event.
pub(super) fn meaning(code: u16, message: String, after: Option<Duration>) -> Failure {
    match StatusCode::from_u16(code) {
        Ok(StatusCode::UNAUTHORIZED) => Failure::Unauthorized(message),
        Ok(StatusCode::FORBIDDEN) => Failure::Forbidden(message),
        Ok(StatusCode::TOO_MANY_REQUESTS) => Failure::Busy(after),
        Ok(StatusCode::GONE) => Failure::Gone,
        _ => Failure::Refused { code, message, after },
    }
}
