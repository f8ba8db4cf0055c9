//! A server that plays, an agent's source, and a node without a kernel: in one process, over pipes
//! instead of sockets, so that a clock that stands still can be trusted.

use std::time::Duration;

use http::Request;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use kube::Client;
use kube::client::Body;
use replay::Server;
use serde_json::{Value, json};
use tokio::io::duplex;
use tokio::time::{Instant, timeout, timeout_at};
use waggle_agent::k8s::Change;
use waggle_agent::kube::{ApiServer, Entrance};
use waggle_agent::model::NodeSpec;

use crate::support::node::Node;
use crate::support::view;
use crate::support::watched::WatchedMaps;

/// Longer than anything is waited for; no time passes meanwhile.
const LONG: Duration = Duration::from_secs(3600);

/// What is served and known.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) table: String,
    pub(crate) maps: String,
    pub(crate) nodes: Vec<NodeSpec>,
}

pub(crate) struct Cluster {
    pub(crate) server: Server,
    pub(crate) source: ApiServer,
    pub(crate) node: Node,
}

impl Cluster {
    /// A cluster that holds these objects, of which the agent knows nothing yet.
    pub(crate) fn of(objects: &[Value]) -> Self {
        let server = Server::default();
        for object in objects {
            server.put(object.clone());
        }
        Self::around(server)
    }

    pub(crate) fn around(server: Server) -> Self {
        Self::taking_over(server, Node::new(WatchedMaps::default()))
    }

    /// An agent that finds the maps of an earlier one and knows nothing yet.
    pub(crate) fn taking_over(server: Server, mut node: Node) -> Self {
        node.restart_without_source();
        node.feed(Vec::new());
        let source = ApiServer::follow(entrance(&server));
        Self { server, source, node }
    }

    /// An agent that comes by this way and knows nothing yet.
    pub(crate) fn entered(server: Server, entrance: Entrance) -> Self {
        let node = Node::new(WatchedMaps::default());
        Self { server, source: ApiServer::follow(entrance), node }
    }

    /// The next changes, taken in.
    pub(crate) async fn step(&mut self) -> Vec<String> {
        let changes = timeout(LONG, self.source.next()).await.expect("something changes");
        let words = changes.iter().map(word).collect();
        self.node.feed(changes);
        words
    }

    /// Lets time pass in which nothing changes.
    pub(crate) async fn rest(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while let Ok(changes) = timeout_at(end, self.source.next()).await {
            assert!(changes.is_empty(), "{changes:?}");
        }
    }

    /// Goes on until it is so; what was wrong on the way, each once.
    pub(crate) async fn until(&mut self, is_so: impl Fn(&Self) -> bool) -> Vec<String> {
        let mut problems = Vec::new();
        for _ in 0..10_000 {
            for problem in &*self.node.report.problems {
                let text = problem.to_string();
                if !problems.contains(&text) {
                    problems.push(text);
                }
            }
            if is_so(self) {
                return problems;
            }
            self.step().await;
        }
        panic!("not so after many steps: {:?}", self.node.report)
    }

    /// Goes on until everything was listed and nothing is wrong.
    pub(crate) async fn until_well(&mut self) -> Vec<String> {
        self.until(|it| it.node.report.complete && it.node.report.problems.is_empty()).await
    }

    /// Goes on until the result is that of these objects as files.
    pub(crate) async fn until_like(&mut self, objects: &[Value]) -> Vec<String> {
        let expected = outcome_of_files(objects);
        self.until(|it| it.outcome() == expected && it.node.report.problems.is_empty()).await
    }

    pub(crate) fn outcome(&self) -> Outcome {
        outcome(&self.node)
    }
}

/// What the same objects in a file come to.
pub(crate) fn outcome_of_files(objects: &[Value]) -> Outcome {
    let mut node = Node::new(WatchedMaps::default());
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    node.write("all.json", &list.to_string());
    assert_eq!(node.problems(), "");
    outcome(&node)
}

fn outcome(node: &Node) -> Outcome {
    Outcome {
        table: view::table(&node.engine),
        maps: view::effect(&node.maps.inner().fake),
        nodes: node.engine.nodes().cloned().collect(),
    }
}

pub(crate) fn entrance(server: &Server) -> Entrance {
    let server = server.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        let server = server.clone();
        async move {
            let (mine, its) = duplex(64 << 10);
            tokio::spawn(async move { server.serve(its).await });
            let (mut sender, connection) = handshake(TokioIo::new(mine)).await?;
            tokio::spawn(connection);
            sender.send_request(request).await
        }
    });
    Entrance {
        client: Client::new(service, "default"),
        address: "https://api.test".to_owned(),
        access: None,
        figures: None,
    }
}

/// Runs with a clock that moves only when everything waits.
pub(crate) fn block_on(test: impl Future<Output = ()>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().start_paused(true).build().unwrap().block_on(test);
}

fn word(change: &Change) -> String {
    match change {
        Change::Apply(object) => format!("apply {}", object.object_ref()),
        Change::Delete(object) => format!("delete {object}"),
        Change::SourceProblems(problems) => format!("{} problems", problems.len()),
        Change::Listed { complete } => format!("listed, complete: {complete}"),
    }
}
