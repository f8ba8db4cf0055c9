//! Events: what people read beside an object of the cluster. Nothing waits for them, and where they
//! cannot be written nothing else fails.

use std::time::Duration;

use http::Request;
use http::header::CONTENT_TYPE;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event as Written;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::client::Body;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::debug;

use super::entrance::Entrance;
use super::failure::Failure;
use super::lines::whole;
use super::requests::{PATIENCE, send};
use crate::k8s::ObjectRef;

/// How many may wait to be written; what comes while as many do is lost.
const WAITING: usize = 64;
/// How often writing one is tried, and how long is waited in between.
const TRIES: u32 = 12;
const PAUSE: Duration = Duration::from_secs(10);
/// Who writes them.
const CONTROLLER: &str = "waggle";
/// Where those about objects without a namespace stand.
const DEFAULT_NAMESPACE: &str = "default";
/// The longest note that the API takes, in bytes.
const LONGEST_NOTE: usize = 1024;

/// Something that happened to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The object.
    pub about: ObjectRef,
    /// Whether it should not have happened.
    pub is_warning: bool,
    /// What happened, in a word that programs know.
    pub reason: &'static str,
    /// What was being done, likewise.
    pub action: &'static str,
    /// What happened, for people.
    pub note: String,
    /// Which node's agent says so.
    pub node: String,
}

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
        let written = event.written(Timestamp::now());
        for _ in 0..TRIES {
            let Err(failure) = post(&entrance, &written).await else { break };
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

async fn post(entrance: &Entrance, event: &Written) -> Result<(), Failure> {
    let namespace = event.metadata.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
    let unwritable = |error: &dyn std::error::Error| Failure::Unreadable(error.to_string());
    let body = serde_json::to_vec(event).map_err(|error| unwritable(&error))?;
    let request = Request::post(format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events"))
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(body))
        .map_err(|error| unwritable(&error))?;
    whole(send(entrance, request).await?, PATIENCE).await.map(drop)
}

impl Event {
    /// As the API has it (events.k8s.io/v1).
    fn written(&self, now: Timestamp) -> Written {
        let Self { about, is_warning, reason, action, note, node } = self;
        let name = &about.name;
        let namespace = Some(name.namespace.clone()).filter(|namespace| !namespace.is_empty());
        let until = (0..=LONGEST_NOTE.min(note.len())).rev().find(|at| note.is_char_boundary(*at));
        Written {
            metadata: ObjectMeta {
                name: Some(format!("{}.{:x}", name.name, now.as_nanosecond())),
                namespace: namespace.clone().or_else(|| Some(DEFAULT_NAMESPACE.to_owned())),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(now)),
            reporting_controller: Some(CONTROLLER.to_owned()),
            reporting_instance: Some(format!("{CONTROLLER}-{node}")),
            action: Some((*action).to_owned()),
            reason: Some((*reason).to_owned()),
            type_: Some(if *is_warning { "Warning" } else { "Normal" }.to_owned()),
            note: Some(note[..until.unwrap_or(0)].to_owned()).filter(|note| !note.is_empty()),
            regarding: Some(ObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some(about.kind.as_str().to_owned()),
                name: Some(name.name.clone()),
                namespace,
                ..ObjectReference::default()
            }),
            ..Written::default()
        }
    }
}
