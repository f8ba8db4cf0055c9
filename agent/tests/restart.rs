//! Another agent takes over what the maps hold.

use crate::support::node::{NAME, Node};
use crate::support::objects::{Shape, delete, service, slice};
use crate::support::view;
use crate::support::watched::WatchedMaps;
use dataplane_common::abi::{Backend, BackendId, BackendState, Scopes};
use waggle_agent::k8s::{Change, Kind};
use waggle_agent::maps::{LbMaps as _, dump};

const COMPLETE: Change = Change::Listed { complete: true };
const PARTIAL: Change = Change::Listed { complete: false };

fn endpoint(number: u8, condition: &'static str) -> (String, &'static str, &'static str) {
    (format!("10.1.0.{number}"), NAME, condition)
}

fn objects() -> Vec<Change> {
    vec![
        service("a", &["10.96.0.1", "fd00:10:96::1"]),
        service("b", &["10.96.0.2"]),
        slice("a-1", "a", &[endpoint(1, "ready"), endpoint(2, "terminating")]),
        slice("b-1", "b", &[endpoint(1, "ready"), endpoint(3, "ready")]),
    ]
}

/// A node that serves all objects, and whose agent has just been started again.
fn restarted() -> Node {
    let mut node = Node::new(WatchedMaps::default());
    node.feed(objects());
    node.restart_without_source();
    node.maps.inner().take_log();
    node
}

fn log_after(node: &mut Node, changes: Vec<Change>) -> Vec<String> {
    node.feed(changes);
    node.maps.inner().take_log()
}

#[test]
fn nothing_that_is_right_is_written() {
    let mut node = restarted();
    let mut changes = objects();
    changes.reverse();
    changes.push(COMPLETE);
    assert_eq!(log_after(&mut node, changes), [""; 0]);
    assert_eq!((node.report.writes, node.report.complete), (0, true));
}

#[test]
fn nothing_happens_before_the_first_list() {
    let mut node = restarted();
    assert_eq!(log_after(&mut node, vec![service("a", &["10.96.0.9"])]), [""; 0]);
    assert!(!node.report.listed);
}

#[test]
fn what_is_gone_is_pruned_after_the_full_list() {
    let mut node = restarted();
    let only_b: Vec<_> = objects().into_iter().skip(1).step_by(2).collect();
    let log = log_after(&mut node, only_b.into_iter().chain([PARTIAL]).collect());
    assert_eq!(log, [""; 0]);
    let log = log_after(&mut node, vec![COMPLETE]);
    assert_eq!(
        log,
        [
            "delete 10.96.0.1:80/TCP",
            "unmark 10.96.0.1",
            "backend 1 dead -",
            "backend 2 dead -",
            "delete [fd00:10:96::1]:80/TCP",
            "unmark fd00:10:96::1",
            "bounds 10.96.0.2-10.96.0.2",
        ]
    );
    let mut fresh = Node::new(WatchedMaps::default());
    fresh.feed(objects().into_iter().skip(1).step_by(2).collect());
    assert_eq!(view::effect(&node.maps.inner().fake), view::effect(&fresh.maps.inner().fake));
}

#[test]
fn endpoints_that_cannot_be_read_are_not_endpoints_that_left() {
    let mut node = restarted();
    let without_slice: Vec<_> = objects().into_iter().take(2).chain([PARTIAL]).collect();
    assert_eq!(log_after(&mut node, without_slice), [""; 0]);
    assert_eq!(node.report.pending, 2);
    assert!(
        node.problems().contains("Service default/a is not served right"),
        "{}",
        node.problems()
    );
    let log = log_after(&mut node, vec![COMPLETE]);
    assert!(log.contains(&"put 10.96.0.1:80/TCP -> 0+0".to_owned()), "{log:#?}");
    assert_eq!((node.report.pending, node.report.retry_at), (0, None));
}

#[test]
fn an_endpoint_that_left_meanwhile_is_ended() {
    let mut node = restarted();
    let mut changes = objects();
    changes[2] = slice("a-1", "a", &[endpoint(1, "ready")]);
    changes.push(COMPLETE);
    let expected = ["slots 4+1", "put 10.96.0.1:80/TCP -> 4+1", "backend 2 dead -"];
    assert_eq!(log_after(&mut node, changes), expected);
}

#[test]
fn generations_go_on() {
    let mut node = restarted();
    let changes = objects().into_iter().skip(1).step_by(2).chain([COMPLETE]).collect();
    node.feed(changes);
    node.restart_without_source();
    node.feed(objects().into_iter().chain([COMPLETE]).collect());
    let text = dump::dump(&node.maps.inner().fake).unwrap();
    assert!(text.contains("slot 0 10.1.0.1:8080 backend=1 generation=2"), "{text}");
}

#[test]
fn what_a_killed_agent_left_half_made_is_ended() {
    let mut node = restarted();
    let stray =
        Backend { generation: 5, state: BackendState::Active.number(), scopes: Scopes::CLUSTER };
    node.maps.write_backend(BackendId(77), &stray).unwrap();
    node.restart_without_source();
    node.maps.inner().take_log();
    let log = log_after(&mut node, objects().into_iter().chain([COMPLETE]).collect());
    assert_eq!(log, ["backend 77 dead -"]);
}

#[test]
fn a_frontend_that_moved_meanwhile_takes_nothing_else_along() {
    let a = Shape::of("a", &["10.96.0.1"]);
    let b = Shape { node_port: 30_080, ..Shape::of("b", &["10.96.0.2"]) };
    let slices =
        [slice("a-1", "a", &[endpoint(1, "ready")]), slice("b-1", "b", &[endpoint(2, "ready")])];
    let mut node = Node::new(WatchedMaps::default());
    node.feed([a.change(), b.change()].into_iter().chain(slices.clone()).collect());
    node.restart_without_source();
    node.maps.inner().take_log();
    let (a, b) = (Shape { node_port: 30_080, ..a }, Shape { node_port: 0, ..b });
    let services = [a.change(), b.change(), COMPLETE];
    let log = log_after(&mut node, slices.into_iter().chain(services).collect());
    assert_eq!(log, ["put 0.0.0.0:30080/TCP -> 0+1"]);
}

#[test]
fn node_ports_in_the_maps_count_before_they_are_read_of() {
    let mut node = Node::new(WatchedMaps::default());
    node.feed(vec![Shape { node_port: 32_000, ..Shape::of("a", &["10.96.0.1"]) }.change()]);
    node.restart_without_source();
    assert_eq!(node.engine.node_port_range(), Some((32_000, 32_000)));
    let other = Shape { node_port: 30_001, ..Shape::of("b", &["fd00:10:96::1"]) };
    node.feed(vec![other.change(), PARTIAL]);
    assert_eq!(node.engine.node_port_range(), Some((30_001, 32_000)));
    node.feed(vec![COMPLETE]);
    assert_eq!(node.engine.node_port_range(), Some((30_001, 30_001)));
}

/// Frontends of a switch that was cut off are in two epochs.
#[test]
fn affinity_that_was_switched_at_one_frontend_is_in_one_epoch_after_the_next_start() {
    let off = Shape { node_port: 30_080, ..Shape::of("web", &["10.96.0.1"]) };
    let on = Shape { affinity_seconds: Some(60), ..off.clone() };
    for (name, next, expected) in
        [("still on", &on, " affinity=60s epoch=1"), ("off again", &off, " affinity=0s epoch=2")]
    {
        let mut node = Node::new(WatchedMaps::default());
        node.feed(vec![off.change()]);
        node.maps.inner().end_after(1);
        node.feed(vec![on.change()]);
        node.maps.inner().never_end();
        node.restart_without_source();
        node.feed(vec![next.change(), COMPLETE]);
        let text = dump::dump(&node.maps.inner().fake).unwrap();
        let lines = text.lines().filter(|line| line.starts_with("service "));
        let ends: Vec<_> = lines.map(|line| line.ends_with(expected)).collect();
        assert_eq!(ends, [true, true], "{name}: {text}");
    }
}

fn ways_in() -> Shape {
    Shape {
        node_port: 30_080,
        external_ips: vec!["192.0.2.1".to_owned(), "2001:db8::1".to_owned()],
        external_local: true,
        ..Shape::of("a", &["10.96.0.1", "fd00:10:96::1"])
    }
}

fn changed_ways_in() -> Shape {
    Shape {
        node_port: 30_081,
        external_ips: vec!["192.0.2.2".to_owned()],
        internal_local: true,
        external_local: false,
        affinity_seconds: Some(60),
        ..ways_in()
    }
}

/// After any write of a change the agent may be killed; the next one makes the change complete.
#[test]
fn a_change_that_was_cut_off_anywhere_is_completed() {
    let objects =
        || [ways_in().change()].into_iter().chain(objects().into_iter().skip(1)).collect();
    let changed = || {
        vec![
            changed_ways_in().change(),
            service("c", &["10.96.0.2"]),
            delete(Kind::Service, "b"),
            slice("a-1", "a", &[endpoint(4, "ready"), endpoint(1, "terminating")]),
            slice("c-1", "c", &[endpoint(1, "ready")]),
        ]
    };
    let mut whole = Node::new(WatchedMaps::default());
    whole.feed(objects());
    whole.maps.inner().take_log();
    whole.feed(changed());
    let writes = whole.maps.inner().take_log().len();
    assert!(writes > 20, "{writes}");
    for kept in 0..writes {
        let mut node = Node::new(WatchedMaps::default());
        node.feed(objects());
        node.maps.inner().end_after(kept);
        node.feed(changed());
        node.maps.inner().never_end();
        node.restart_without_source();
        let list = changed().into_iter().filter(|change| !matches!(change, Change::Delete(_)));
        let others = [slice("b-1", "b", &[endpoint(1, "ready"), endpoint(3, "ready")]), COMPLETE];
        node.feed(list.chain(others).collect());
        let effects = [&node, &whole].map(|node| view::effect(&node.maps.inner().fake));
        assert_eq!(effects[0], effects[1], "after {kept} of {writes} writes");
    }
}
