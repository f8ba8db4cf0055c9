//! Maps that are full or fragmented concern the Service that finds no room, and no other.

use crate::support::node::{NAME, Node};
use crate::support::objects::{Endpoint, delete, service, slice};
use crate::support::view;
use crate::support::watched::WatchedMaps;
use waggle_agent::k8s::Kind;
use waggle_agent::maps::Capacity;

fn endpoints(count: u8) -> Vec<Endpoint<'static>> {
    (0..count).map(|number| (format!("10.1.0.{number}"), NAME, "ready")).collect()
}

fn node(slots: u32, backends: u32, services: u32) -> Node {
    Node::new(WatchedMaps::with_capacity(Capacity { slots, backends, services, sources: 2 }))
}

fn serve(node: &mut Node, name: &str, address: &str, count: u8) {
    node.feed(vec![
        service(name, &[address]),
        slice(&format!("{name}-1"), name, &endpoints(count)),
    ]);
}

#[test]
fn a_fragmented_array_is_an_error_of_one_service_until_there_is_room() {
    let mut node = node(6, 100, 100);
    serve(&mut node, "a", "10.96.0.1", 2);
    serve(&mut node, "b", "10.96.0.2", 2);
    serve(&mut node, "c", "10.96.0.3", 2);
    node.feed(vec![delete(Kind::Service, "a"), delete(Kind::Service, "c")]);
    node.now += waggle_agent::reconcile::QUARANTINE;
    serve(&mut node, "d", "10.96.0.4", 3);
    assert_eq!(
        node.problems(),
        "Service default/d is not served right at default/d:http/TCP (IPv4): has no place in map \
         slots: it needs 3 slots in a row; of 4 free ones at most 2 are, and 0 more are free \
         within seconds; remove endpoints or Services\n"
    );
    assert_eq!(node.report.pending, 1);
    serve(&mut node, "e", "10.96.0.5", 1);
    let served = view::effect(&node.maps.inner().fake);
    assert!(served.contains("10.96.0.2:80/TCP") && served.contains("10.96.0.5:80/TCP"), "{served}");
    assert!(!served.contains("10.96.0.4"), "{served}");
    node.feed(vec![delete(Kind::Service, "b"), delete(Kind::Service, "e")]);
    node.settle();
    assert_eq!(node.problems(), "");
    let served = view::effect(&node.maps.inner().fake);
    assert!(served.contains("10.96.0.4:80/TCP (0, 0, 3)"), "{served}");
}

#[test]
fn a_service_without_room_for_its_change_is_served_as_before() {
    let mut node = node(3, 100, 100);
    serve(&mut node, "a", "10.96.0.1", 2);
    let before = view::effect(&node.maps.inner().fake);
    serve(&mut node, "a", "10.96.0.1", 3);
    assert_eq!(node.report.pending, 1);
    assert_eq!(view::effect(&node.maps.inner().fake), before);
    serve(&mut node, "a", "10.96.0.1", 1);
    assert_eq!((node.report.pending, node.problems()), (0, String::new()));
}

#[test]
fn every_map_that_is_full_is_named() {
    for (slots, backends, services, expected) in [
        (1, 100, 100, "map slots"),
        (100, 2, 100, "map backends"),
        (100, 100, 3, "map services is full"),
    ] {
        let mut node = node(slots, backends, services);
        serve(&mut node, "a", "10.96.0.1", 1);
        assert_eq!(node.problems(), "", "{expected}");
        serve(&mut node, "b", "10.96.0.2", 1);
        assert!(node.problems().contains(expected), "{}", node.problems());
        node.feed(vec![delete(Kind::Service, "a")]);
        node.settle();
        assert_eq!(node.problems(), "", "{expected}");
    }
}
