//! Events: what people read beside an object of the cluster. Nothing waits for them, and where they
//! cannot be written nothing else fails.

use std::time::Duration;

use http::Request;
use http::header::CONTENT_TYPE;
use jiff::Timestamp;
use kube::client::Body;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::debug;

use super::entrance::Entrance;
use super::failure::Failure;
use super::lines::whole;
use super::requests::{PATIENCE, send};
use crate::k8s::Event;

/// How many may wait to be written; what comes while as many do is lost.
const WAITING: usize = 64;
/// How often writing one is tried, and how long is waited in between.
const TRIES: u32 = 12;
const PAUSE: Duration = Duration::from_secs(10);

/// Writes events, one after the other.
pub(super) struct Announcer(Sender<Event>);

impl Announcer {
    /// One of whose work is done in `tasks`.
    pub(super) fn begin(entrance: Entrance, tasks: &mut JoinSet<()>) -> Self {
        let (sender, events) = channel(WAITING);
        tasks.spawn(write(entrance, events));
        Self(sender)
    }

    pub(super) fn announce(&self, event: Event) {
        if let Err(lost) = self.0.try_send(event) {
            debug!(%lost, "an Event is lost");
        }
    }
}

async fn write(mut entrance: Entrance, mut events: Receiver<Event>) {
    while let Some(event) = events.recv().await {
        let body = event.to_json(Timestamp::now());
        for _ in 0..TRIES {
            let Err(failure) = post(&entrance, event.namespace(), &body).await else { break };
            debug!(?failure, reason = event.reason, "failed to write an Event");
            if matches!(failure, Failure::Forbidden(_) | Failure::Refused { code: 400..=499, .. }) {
                break;
            }
            if failure.is_of_access() {
                // Another way is taken if there is one; else the old one is tried again.
                let _not_renewed = entrance.renew().await;
            }
            sleep(PAUSE).await;
        }
    }
}

async fn post(entrance: &Entrance, namespace: &str, body: &str) -> Result<(), Failure> {
    let request = Request::post(format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events"))
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(body.as_bytes().to_vec()))
        .map_err(|error| Failure::Unreadable(error.to_string()))?;
    whole(send(entrance, request).await?, PATIENCE).await.map(drop)
}
