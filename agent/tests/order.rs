//! The order of writes: no frontend leads to what is not there yet, nothing ends that is still
//! chosen.

use crate::support::node::{NAME, Node};
use crate::support::objects::{Shape, delete, slice};
use crate::support::watched::WatchedMaps;
use waggle_agent::k8s::{Change, Kind};

fn service(name: &str, address: &str, created: &str) -> Change {
    let created = Some(created.to_owned());
    Shape { internal_local: true, created, ..Shape::of(name, &[address]) }.change()
}

fn endpoints(service: &str, endpoints: &[(u8, &'static str)]) -> Change {
    let endpoints: Vec<_> = endpoints
        .iter()
        .map(|(number, condition)| (format!("10.1.0.{number}"), NAME, *condition))
        .collect();
    slice(&format!("{service}-1"), service, &endpoints)
}

fn log_after(node: &mut Node, changes: Vec<Change>) -> Vec<String> {
    node.maps.inner().take_log();
    node.feed(changes);
    node.maps.inner().take_log()
}

#[test]
fn backends_then_slots_then_frontends_then_what_ends() {
    let mut node = Node::new(WatchedMaps::default());
    let created = "2026-01-01T00:00:00Z";
    let log = log_after(
        &mut node,
        vec![service("web", "10.96.0.1", created), endpoints("web", &[(1, "ready"), (2, "ready")])],
    );
    let expected = [
        "bounds 10.96.0.1-10.96.0.1",
        "backend 1 active local+cluster",
        "backend 2 active local+cluster",
        "slots 0+2",
        "mark 10.96.0.1",
        "put 10.96.0.1:80/TCP -> 0+2",
    ];
    assert_eq!(log, expected, "a Service comes");
    let change = endpoints("web", &[(1, "terminating"), (3, "ready"), (4, "terminating")]);
    let expected = [
        "backend 3 active local+cluster",
        "slots 2+3",
        "put 10.96.0.1:80/TCP -> 2+3",
        "backend 1 terminating -",
        "backend 4 terminating -",
        "backend 2 dead -",
    ];
    assert_eq!(log_after(&mut node, vec![change]), expected, "endpoints change");
    let expected = [
        "delete 10.96.0.1:80/TCP",
        "unmark 10.96.0.1",
        "backend 1 dead -",
        "backend 3 dead -",
        "backend 4 dead -",
        "bounds",
    ];
    assert_eq!(log_after(&mut node, vec![delete(Kind::Service, "web")]), expected, "it goes");
}

#[test]
fn a_frontend_that_changes_its_owner_is_never_missing() {
    let mut node = Node::new(WatchedMaps::default());
    node.feed(vec![
        service("young", "10.96.0.1", "2026-01-02T00:00:00Z"),
        endpoints("young", &[(1, "ready")]),
    ]);
    let older = vec![
        service("old", "10.96.0.1", "2026-01-01T00:00:00Z"),
        endpoints("old", &[(2, "ready")]),
    ];
    let expected = [
        "backend 2 active local+cluster",
        "slots 1+1",
        "put 10.96.0.1:80/TCP -> 1+1",
        "backend 1 dead -",
    ];
    assert_eq!(log_after(&mut node, older), expected, "the older Service takes it");
    let expected = [
        "backend 3 active local+cluster",
        "slots 2+1",
        "put 10.96.0.1:80/TCP -> 2+1",
        "backend 2 dead -",
    ];
    let change = vec![delete(Kind::Service, "old")];
    assert_eq!(log_after(&mut node, change), expected, "the younger one gets it back");
}

fn ways_in() -> Shape {
    Shape {
        node_port: 30_080,
        external_ips: vec!["192.0.2.1".to_owned()],
        external_local: true,
        ..Shape::of("web", &["10.96.0.1"])
    }
}

#[test]
fn cluster_ips_come_first_and_a_node_port_is_no_address() {
    let mut node = Node::new(WatchedMaps::default());
    let log = log_after(&mut node, vec![ways_in().change(), endpoints("web", &[(1, "ready")])]);
    let expected = [
        "bounds 30080-30080 10.96.0.1-10.96.0.1",
        "backend 1 active local+cluster",
        "slots 0+1",
        "mark 10.96.0.1",
        "mark 192.0.2.1",
        "put 10.96.0.1:80/TCP -> 0+1",
        "put 0.0.0.0:30080/TCP -> 0+1",
        "put 192.0.2.1:80/TCP -> 0+1",
    ];
    assert_eq!(log, expected, "all come");
    let shape = Shape { node_port: 0, ..ways_in() };
    let log = log_after(&mut node, vec![shape.change()]);
    assert_eq!(
        log,
        ["delete 0.0.0.0:30080/TCP", "bounds 10.96.0.1-10.96.0.1"],
        "the node port goes"
    );
    let shape = Shape { external_ips: vec![], ..ways_in() };
    let expected = [
        "bounds 30080-30080 10.96.0.1-10.96.0.1",
        "put 0.0.0.0:30080/TCP -> 0+1",
        "delete 192.0.2.1:80/TCP",
        "unmark 192.0.2.1",
    ];
    assert_eq!(log_after(&mut node, vec![shape.change()]), expected, "one for the other");
}

#[test]
fn a_backend_leaves_a_set_when_no_frontend_offers_it_there() {
    let mut node = Node::new(WatchedMaps::default());
    let local = Shape { internal_local: true, ..Shape::of("web", &["10.96.0.1"]) };
    node.feed(vec![local.change(), endpoints("web", &[(1, "ready")])]);
    let cluster = Shape { internal_local: false, ..local.clone() };
    let expected = ["put 10.96.0.1:80/TCP -> 0+1", "backend 1 active cluster"];
    assert_eq!(log_after(&mut node, vec![cluster.change()]), expected, "Local to Cluster");
    let expected = ["backend 1 active local+cluster", "put 10.96.0.1:80/TCP -> 0+1"];
    assert_eq!(log_after(&mut node, vec![local.change()]), expected, "and back");
}

#[test]
fn bounds_widen_before_what_they_are_for_and_narrow_after_it() {
    let mut node = Node::new(WatchedMaps::default());
    let shape = |node_port, address: &str| Shape { node_port, ..Shape::of("web", &[address]) };
    for (node_port, addresses, expected) in [
        (
            30_001,
            "10.96.0.9",
            &[
                "bounds 30001-30001 10.96.0.9-10.96.0.9",
                "mark 10.96.0.9",
                "put 10.96.0.9:80/TCP -> 0+0",
                "put 0.0.0.0:30001/TCP -> 0+0",
            ][..],
        ),
        (
            30_009,
            "10.96.0.1",
            &[
                "bounds 30001-30009 10.96.0.1-10.96.0.9",
                "mark 10.96.0.1",
                "put 10.96.0.1:80/TCP -> 0+0",
                "put 0.0.0.0:30009/TCP -> 0+0",
                "delete 0.0.0.0:30001/TCP",
                "delete 10.96.0.9:80/TCP",
                "unmark 10.96.0.9",
                "bounds 30009-30009 10.96.0.1-10.96.0.1",
            ],
        ),
    ] {
        let log = log_after(&mut node, vec![shape(node_port, addresses).change()]);
        assert_eq!(log, expected, "{node_port} {addresses}");
    }
}
