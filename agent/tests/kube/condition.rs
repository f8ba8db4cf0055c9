//! The Node's condition `NetworkUnavailable`: taken back when asked to, for as long as it takes.

use std::time::Duration;

use replay::{Answer, Resource, Verb};
use serde_json::{Value, json};

use super::cluster::{Cluster, block_on};
use super::objects::{node, shop, with};

/// This node, with the condition in a status.
fn own(status: &str) -> Value {
    let conditions = json!([
        {"type": "Ready", "status": "True"},
        {"type": "NetworkUnavailable", "status": status, "reason": "NoRouteCreated"},
    ]);
    with(node("node-a", 1), "status.conditions", conditions)
}

/// How often the status was written, and nothing else than this node's.
fn patches(cluster: &Cluster) -> usize {
    let requests = cluster.server.take_requests();
    let patches = requests.iter().filter(|query| query.verb == Verb::PatchStatus);
    patches
        .inspect(|query| {
            assert_eq!((query.resource, query.name.as_deref()), (Resource::Nodes, Some("node-a")));
        })
        .count()
}

/// What the agent's loop asks for once there are ways to all other nodes.
fn ask(cluster: &Cluster) {
    let own = cluster.node.engine.own_node().filter(|own| own.is_network_unavailable);
    cluster.source.make_available(own.map(|own| own.name.clone()));
}

/// Until the agent has heard whether its node is said to have no network.
async fn until_unavailable(cluster: &mut Cluster, expected: bool) {
    cluster
        .until(|it| {
            let own = it.node.engine.own_node();
            own.is_some_and(|own| own.is_network_unavailable == expected)
        })
        .await;
}

#[test]
fn a_condition_is_taken_back_where_it_is_there_and_not_false() {
    for (status, expected) in [("True", 1), ("Unknown", 1), ("False", 0)] {
        block_on(async {
            let mut cluster = Cluster::of(&shop());
            cluster.server.put(own(status));
            cluster.until_well().await;
            ask(&cluster);
            until_unavailable(&mut cluster, false).await;
            ask(&cluster);
            cluster.rest(Duration::from_secs(300)).await;
            assert_eq!(patches(&cluster), expected, "{status}");
            let conditions = cluster.server.object(Resource::Nodes, "node-a").unwrap();
            let conditions = &conditions["status"]["conditions"];
            assert_eq!(conditions[0], json!({"type": "Ready", "status": "True"}), "{status}");
            let reason = if expected == 1 { "WaggleIsUp" } else { "NoRouteCreated" };
            let taken_back = &conditions[1];
            assert_eq!(
                (&taken_back["status"], &taken_back["reason"]),
                (&json!("False"), &json!(reason))
            );
        });
    }
}

#[test]
fn what_is_refused_is_told_and_tried_until_it_is_done() {
    for (answer, said) in [
        (
            Answer::refusal(403, "Forbidden", "no"),
            "grant the verb patch on it (manifests/rbac.yaml)",
        ),
        (Answer::refusal(500, "InternalError", "broken"), "refuses nodes/status (500: broken)"),
        (Answer::busy("1"), "is too busy for nodes/status (429)"),
        (Answer::Reset, "cannot be reached for nodes/status"),
    ] {
        block_on(async {
            let mut cluster = Cluster::of(&shop());
            cluster.server.put(own("True"));
            for _ in 0..5 {
                cluster.server.fault(Resource::Nodes, Verb::PatchStatus, answer.clone());
            }
            cluster.until_well().await;
            ask(&cluster);
            let is_told = |it: &Cluster| it.node.problems().contains(said);
            cluster.until(is_told).await;
            let end = "no pods are scheduled there";
            assert!(cluster.node.problems().contains(end), "{}", cluster.node.problems());
            until_unavailable(&mut cluster, false).await;
            cluster.until_well().await;
            ask(&cluster);
            assert_eq!(patches(&cluster), 6, "{said}");
        });
    }
}

/// Its controller may say again that there is no network.
#[test]
fn a_condition_that_comes_again_is_taken_back_again() {
    block_on(async {
        let mut cluster = Cluster::of(&shop());
        for _ in 0..3 {
            cluster.server.put(own("True"));
            until_unavailable(&mut cluster, true).await;
            ask(&cluster);
            until_unavailable(&mut cluster, false).await;
            ask(&cluster);
        }
        assert_eq!(patches(&cluster), 3);
    });
}
