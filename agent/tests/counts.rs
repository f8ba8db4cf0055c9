//! What a change costs depends on the Service it concerns and on nothing else.

use std::sync::Arc;

use crate::support::node::{NAME, Node};
use crate::support::objects::{Endpoint, Shape, service, slice};
use crate::support::watched::WatchedMaps;

const ENDPOINTS: u8 = 20;
/// A cluster IP, a node port, two addresses of load balancers and an external one.
const FRONTENDS: usize = 5;

fn endpoints(count: u8, condition_of_first: &'static str) -> Vec<Endpoint<'static>> {
    (0..count)
        .map(|number| {
            let condition = if number == 0 { condition_of_first } else { "ready" };
            (format!("10.1.0.{number}"), NAME, condition)
        })
        .collect()
}

fn web() -> Shape {
    Shape {
        node_port: 30_080,
        load_balancer_ips: ["192.0.2.1", "192.0.2.2"].map(str::to_owned).to_vec(),
        external_ips: vec!["192.0.2.3".to_owned()],
        ..Shape::of("web", &["10.96.0.1"])
    }
}

/// Map writes for one change after the other, on a node with this many Services.
fn writes(services: usize) -> Vec<(&'static str, usize)> {
    let mut node = Node::new(WatchedMaps::unchecked());
    let others = (0..services).flat_map(|number| {
        let name = format!("s{number}");
        let address = format!("10.{}.{}.{}", 97 + number / 65536, number / 256 % 256, number % 256);
        let slice_name = format!("{name}-1");
        [service(&name, &[&address]), slice(&slice_name, &name, &endpoints(3, "ready"))]
    });
    node.feed(others.collect());
    node.feed(vec![web().change(), slice("web-1", "web", &endpoints(ENDPOINTS, "ready"))]);
    let changes = [
        ("terminating", slice("web-1", "web", &endpoints(ENDPOINTS, "terminating"))),
        ("gone", slice("web-1", "web", &endpoints(ENDPOINTS, "gone"))),
        ("back", slice("web-1", "web", &endpoints(ENDPOINTS, "ready"))),
        ("removed", slice("web-1", "web", &endpoints(ENDPOINTS - 1, "ready"))),
        ("added", slice("web-1", "web", &endpoints(ENDPOINTS, "ready"))),
        ("same", slice("web-1", "web", &endpoints(ENDPOINTS, "ready"))),
    ];
    let costs = changes.map(|(name, change)| {
        let before = node.maps.inner().fake.writes();
        node.feed(vec![change]);
        let cost = node.maps.inner().fake.writes() - before;
        assert_eq!(node.report.writes, cost, "the report of {name} counts every write");
        (name, cost)
    });
    costs.to_vec()
}

#[test]
fn one_endpoint_costs_the_same_at_10_and_at_10_000_services() {
    let few = writes(10);
    assert_eq!(few, writes(10_000));
    let limit = 2 * usize::from(ENDPOINTS) + FRONTENDS + 4;
    for (name, cost) in &few {
        assert!(*cost <= limit, "{name} costs {cost} writes, more than {limit}");
    }
    let expected = [
        ("terminating", 26),
        ("gone", 25),
        ("back", 26),
        ("removed", 25),
        ("added", 26),
        ("same", 0),
    ];
    assert_eq!(few, expected);
}

#[test]
fn a_policy_costs_no_more_than_each_endpoint_twice() {
    let mut node = Node::new(WatchedMaps::default());
    node.feed(vec![web().change(), slice("web-1", "web", &endpoints(ENDPOINTS, "ready"))]);
    let endpoints = usize::from(ENDPOINTS);
    for (name, shape, expected) in [
        (
            "states and all frontends change, slots do not",
            Shape { internal_local: true, ..web() },
            endpoints + FRONTENDS,
        ),
        (
            "only the external frontends change",
            Shape { internal_local: true, external_local: true, ..web() },
            FRONTENDS - 1,
        ),
        (
            "all frontends get a timeout",
            Shape {
                internal_local: true,
                external_local: true,
                affinity_seconds: Some(1),
                ..web()
            },
            FRONTENDS,
        ),
        (
            "a frontend less, and policies and affinity as at first",
            Shape { node_port: 0, ..web() },
            endpoints + FRONTENDS,
        ),
    ] {
        node.feed(vec![shape.change()]);
        assert_eq!(node.report.writes, expected, "{name}");
    }
}

#[test]
fn a_round_after_which_nothing_else_is_to_be_told_says_so() {
    let mut node = Node::new(WatchedMaps::default());
    let addressless = |number: u32| service(&format!("bad{number}"), &["10.96.0.256"]);
    node.feed((0..100).map(addressless).collect());
    node.feed(vec![web().change(), slice("web-1", "web", &endpoints(2, "ready"))]);
    assert_eq!(node.report.problems.len(), 100, "{}", node.problems());
    let rival = || service("zeta", &["10.96.0.1"]);
    for (name, change, is_told, has_other_problems) in [
        ("an object as it was", addressless(7), false, false),
        ("a Service as it was", web().change(), false, false),
        ("an endpoint", slice("web-1", "web", &endpoints(3, "ready")), true, false),
        ("the same one", slice("web-1", "web", &endpoints(3, "ready")), false, false),
        ("a contest", rival(), true, true),
        ("the same one", rival(), false, false),
        ("the end of a contest", service("zeta", &["10.96.0.2"]), true, true),
        ("a mended object", service("bad7", &["10.96.0.7"]), true, true),
    ] {
        let before = node.report.clone();
        node.feed(vec![change]);
        let told = node.report.revision != before.revision;
        let is_other = !Arc::ptr_eq(&node.report.problems, &before.problems);
        assert_eq!((told, is_other), (is_told, has_other_problems), "{name}");
    }
}
