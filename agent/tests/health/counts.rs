//! What is counted of endpoints, by the rows of kube-proxy's suites under their names there.

use std::collections::BTreeMap;

use dataplane_common::abi::Family;
use waggle_agent::k8s::Change;
use waggle_agent::metrics::Policy;
use waggle_agent::model::{HealthCheck, Name};

use crate::support::node::{NAME, Node};
use crate::support::objects::{Endpoint, Shape, slice};
use crate::support::watched::WatchedMaps;

fn endpoint<'a>(number: u8, node: &'a str, condition: &'a str) -> Endpoint<'a> {
    (format!("10.1.0.{number}"), node, condition)
}

fn node_with(changes: Vec<Change>) -> Node {
    let mut node = Node::new(WatchedMaps::default());
    node.feed(changes);
    node
}

#[test]
fn test_no_endpoints_metric() {
    let all = |node| [1, 2, 3].map(|number| endpoint(number, node, "ready")).to_vec();
    let none = Vec::new();
    for (name, internal_local, external_local, endpoints, expected) in [
        ("internal, none local", true, false, all("node-b"), [1, 0]),
        ("external, none local", false, true, all("node-b"), [0, 1]),
        ("both, none local", true, true, all("node-b"), [1, 1]),
        ("neither, none local", false, false, all("node-b"), [0, 0]),
        ("both, all local", true, true, all(NAME), [0, 0]),
        ("both, no endpoints", true, true, none, [0, 0]),
    ] {
        let shape = Shape {
            internal_local,
            external_local,
            node_port: 30_080,
            ..Shape::of("web", &["10.96.0.1"])
        };
        let node = node_with(vec![shape.change(), slice("web-1", "web", &endpoints)]);
        let counts: BTreeMap<_, _> = node
            .engine
            .closed_here()
            .map(|(family, policy, count)| ((family, policy), count))
            .collect();
        let found =
            [Policy::Internal, Policy::External].map(|policy| counts[&(Family::V4, policy)]);
        assert_eq!(found, expected, "{name}");
        assert_eq!(counts[&(Family::V6, Policy::External)], 0, "{name}");
    }
}

fn asked() -> Shape {
    Shape { health_check_port: 31_000, ..Shape::of("web", &["10.96.0.1", "fd96::1"]) }
}

fn told(node: &Node) -> Option<HealthCheck> {
    node.engine.health_checks().get(&Name::new("default", "web")).cloned()
}

fn check(counts: [usize; 2]) -> Option<HealthCheck> {
    let local = [Family::V4, Family::V6].into_iter().zip(counts).collect();
    Some(HealthCheck { port: 31_000, local })
}

#[test]
fn test_health_check_node_port_when_terminating() {
    let mut node = node_with(vec![asked().change()]);
    assert_eq!(told(&node), check([0, 0]));
    for (name, endpoints, count) in [
        (
            "three ready, one not",
            vec![
                endpoint(1, NAME, "ready"),
                endpoint(2, NAME, "ready"),
                endpoint(3, NAME, "ready"),
                endpoint(4, NAME, "gone"),
                endpoint(5, "node-b", "ready"),
            ],
            3,
        ),
        (
            "all on their way out",
            [1, 2, 3, 4].map(|number| endpoint(number, NAME, "terminating")).to_vec(),
            0,
        ),
        ("elsewhere", vec![endpoint(1, "node-b", "ready")], 0),
    ] {
        node.feed(vec![slice("web-1", "web", &endpoints)]);
        assert_eq!(told(&node), check([count, 0]), "{name}");
    }
}

#[test]
fn an_address_counts_once_in_each_family_in_however_many_slices_it_is() {
    let six = |number: u8| (format!("fd01::{number}"), NAME, "ready");
    let node = node_with(vec![
        slice("web-1", "web", &[endpoint(1, NAME, "ready"), endpoint(2, NAME, "ready")]),
        slice("web-2", "web", &[endpoint(1, NAME, "ready")]),
        slice("web-3", "web", &[six(1), six(2), six(3)]),
        asked().change(),
    ]);
    assert_eq!(told(&node), check([2, 3]));
}

#[test]
fn test_build_service_map_service_update() {
    let cluster_ip = Shape::of("web", &["10.96.0.1", "fd96::1"]);
    let mut node = node_with(vec![cluster_ip.change()]);
    for (shape, expected) in
        [(asked(), check([0, 0])), (cluster_ip, None), (asked(), check([0, 0]))]
    {
        node.feed(vec![shape.change()]);
        assert_eq!(told(&node), expected);
    }
}
