//! The condition `NetworkUnavailable` of this agent's Node. Controllers of clouds set it, and no pods
//! are scheduled to the node until whoever makes its network takes it back.

use std::time::Duration;

use http::Request;
use http::header::CONTENT_TYPE;
use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use kube::client::Body;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::info;

use super::backoff::Backoff;
use super::entrance::Entrance;
use super::failure::{Failure, Unset};
use super::lines::whole;
use super::requests::{PATIENCE, send};
use crate::problem::Problem;

/// How long the condition may go on being seen after it was taken back.
const UNSEEN: Duration = Duration::from_secs(30);

/// Takes the condition back when asked to, and again until that is done.
pub(super) struct Condition {
    wish: watch::Sender<Option<String>>,
    problem: watch::Receiver<Option<Problem>>,
}

impl Condition {
    /// One whose work is done in `tasks`.
    pub(super) fn begin(entrance: Entrance, tasks: &mut JoinSet<()>) -> Self {
        let (wish, wishes) = watch::channel(None);
        let (problems, problem) = watch::channel(None);
        tasks.spawn(keep(entrance, wishes, problems));
        Self { wish, problem }
    }

    /// Of this Node it is to be taken back, or of none any longer.
    pub(super) fn wish(&self, node: Option<String>) {
        self.wish.send_if_modified(|before| {
            let is_other = *before != node;
            *before = node;
            is_other
        });
    }

    /// Why it is not taken back yet.
    pub(super) fn problem(&self) -> Option<Problem> {
        self.problem.borrow().clone()
    }

    /// Waits until that is something else. May be dropped and called again.
    pub(super) async fn changed(&mut self) {
        if self.problem.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

async fn keep(
    mut entrance: Entrance,
    mut wishes: watch::Receiver<Option<String>>,
    problems: watch::Sender<Option<Problem>>,
) {
    let mut backoff = Backoff::default();
    loop {
        let wish = wishes.borrow_and_update().clone();
        let (problem, pause) = match &wish {
            None => (None, Duration::MAX),
            Some(node) => match patch(&entrance, node).await {
                Ok(()) => {
                    info!(node, "took back the condition NetworkUnavailable");
                    backoff.reset();
                    (None, UNSEEN)
                }
                Err(failure) => {
                    if failure.is_of_access() {
                        // Another way is taken if there is one; else the old one is tried again.
                        let _not_renewed = entrance.renew().await;
                    }
                    let message = Unset(&failure, node).to_string();
                    let problem =
                        Problem::error(format!("API server {}", entrance.address), message);
                    (Some(problem), backoff.next())
                }
            },
        };
        problems.send_if_modified(|before| {
            let is_other = *before != problem;
            *before = problem;
            is_other
        });
        if let Ok(Err(_no_more_wishes)) = timeout(pause, wishes.changed()).await {
            return;
        }
    }
}

async fn patch(entrance: &Entrance, node: &str) -> Result<(), Failure> {
    let now = Timestamp::now();
    // The API takes whole seconds.
    let seconds = TimestampRound::new().smallest(Unit::Second).mode(RoundMode::Trunc);
    let now = now.round(seconds).unwrap_or(now).to_string();
    let condition = json!({
        "type": "NetworkUnavailable", "status": "False", "reason": "WaggleIsUp",
        "message": "Waggle is running on this node",
        "lastHeartbeatTime": now, "lastTransitionTime": now,
    });
    let body = json!({"status": {"conditions": [condition]}}).to_string();
    let request = Request::patch(format!("/api/v1/nodes/{node}/status"))
        .header(CONTENT_TYPE, "application/strategic-merge-patch+json")
        .body(Body::from(body.into_bytes()))
        .map_err(|error| Failure::Unreadable(error.to_string()))?;
    whole(send(entrance, request).await?, PATIENCE).await.map(drop)
}
