//! What a change costs depends on the Service it concerns and on nothing else.

use crate::support::node::{NAME, Node};
use crate::support::objects::{Endpoint, service, slice};
use crate::support::watched::WatchedMaps;

const ENDPOINTS: u8 = 20;
const FRONTENDS: usize = 1;

fn endpoints(count: u8, condition_of_first: &'static str) -> Vec<Endpoint<'static>> {
    (0..count)
        .map(|number| {
            let condition = if number == 0 { condition_of_first } else { "ready" };
            (format!("10.1.0.{number}"), NAME, condition)
        })
        .collect()
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
    node.feed(vec![
        service("web", &["10.96.0.1"]),
        slice("web-1", "web", &endpoints(ENDPOINTS, "ready")),
    ]);
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
        ("terminating", 22),
        ("gone", 21),
        ("back", 22),
        ("removed", 21),
        ("added", 22),
        ("same", 0),
    ];
    assert_eq!(few, expected);
}

#[test]
fn a_policy_costs_no_more_than_each_endpoint_twice() {
    let mut node = Node::new(WatchedMaps::default());
    node.feed(vec![
        service("web", &["10.96.0.1"]),
        slice("web-1", "web", &endpoints(ENDPOINTS, "ready")),
    ]);
    node.feed(vec![crate::support::objects::service_with("web", &["10.96.0.1"], "Local", None)]);
    let expected = usize::from(ENDPOINTS) + FRONTENDS;
    assert_eq!(node.report.writes, expected, "states change, slots do not");
}
