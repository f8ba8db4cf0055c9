//! Maps that are full or fragmented concern the Service that finds no room, and no other.

use std::net::Ipv4Addr;

use crate::support::node::{NAME, Node};
use crate::support::objects::{Endpoint, delete, service, slice};
use crate::support::view;
use crate::support::watched::WatchedMaps;
use dataplane_common::abi::names;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use waggle_agent::engine::ServiceRow;
use waggle_agent::k8s::{Change, Kind, Object, Resource};
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
        (100, 100, 3, "map services is full: it takes"),
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

/// A Service of so many ports, with so many endpoints that serve each, a hundred to a slice.
fn large(name: &str, address: &str, ports: u16, endpoints: u16) -> Vec<Change> {
    let number = |port: u16| json!({"name": format!("p{port}"), "port": 1 + port});
    let ports: Vec<_> = (0..ports).map(number).collect();
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"},
        "spec": {"clusterIP": address, "ports": ports},
    });
    let endpoint = |number: &u16| {
        let [high, low] = number.to_be_bytes();
        json!({"addresses": [format!("10.7.{high}.{low}")]})
    };
    let all: Vec<_> = (0..endpoints).collect();
    let slices = all.chunks(100).enumerate().map(|(index, numbers)| {
        let endpoints: Vec<_> = numbers.iter().map(endpoint).collect();
        Resource::EndpointSlice(read(json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": format!("{name}-{index}"), "namespace": "default",
                         "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4", "ports": ports, "endpoints": endpoints,
        })))
    });
    let resources = std::iter::once(Resource::Service(read(service))).chain(slices);
    resources.map(|resource| Change::Apply(Object { location: None, resource }.into())).collect()
}

fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// How many ports are served at an address, and how many backends there are in all.
fn served(node: &Node, address: &str) -> (usize, usize) {
    let rows = node.engine.services();
    let at = |row: &&ServiceRow| {
        row.frontends.iter().any(|frontend| frontend.address.starts_with(address))
    };
    let rows: Vec<_> = rows.iter().filter(at).collect();
    (rows.len(), rows.iter().map(|row| row.backends.len()).sum())
}

#[test]
fn a_service_of_a_thousand_ports_or_ten_thousand_endpoints_is_served() {
    let mut node = Node::new(WatchedMaps::unchecked());
    for (name, address, ports, endpoints) in
        [("ports", "10.96.0.1", 1000, 3), ("endpoints", "10.96.0.2", 1, 10_000)]
    {
        node.feed(large(name, address, ports, endpoints));
        let expected = (usize::from(ports), usize::from(ports) * usize::from(endpoints));
        assert_eq!((node.problems(), served(&node, address)), (String::new(), expected), "{name}");
    }
    // Two endpoints less of a thousand ports are no more than that Service's own.
    let before = node.maps.inner().fake.writes();
    node.feed(large("ports", "10.96.0.1", 1000, 1));
    assert!(node.maps.inner().fake.writes() - before <= 1000 * 4, "{:?}", node.report);
    node.feed(large("both", "10.96.0.3", 30, 10_000));
    let problems = node.problems();
    let refused = "there are more endpoints than the 262144 of map backends; remove some\n";
    assert!(problems.lines().all(|line| line.starts_with("Service default/both is not served")));
    assert_eq!(problems.matches(refused).count(), node.report.pending, "{problems}");
    assert!((1..30).contains(&node.report.pending), "those that fit are served: {problems}");
    serve(&mut node, "after", "10.96.0.4", 2);
    assert!(!node.problems().contains("default/after"), "the rest is served");
}

/// A load balancer's Service that lets in this many addresses.
fn ranged(name: &str, number: u8, ranges: u32) -> Change {
    let range = |range: u32| format!("{}/32", Ipv4Addr::from_bits(0x0b00_0000 + range));
    let ranges: Vec<_> = (0..ranges).map(range).collect();
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"},
        "spec": {"type": "LoadBalancer", "clusterIP": format!("10.96.0.{number}"),
                 "loadBalancerSourceRanges": ranges, "ports": [{"name": "http", "port": 80}]},
        "status": {"loadBalancer": {"ingress": [{"ip": format!("192.0.2.{number}")}]}},
    });
    let resource = Resource::Service(read(service));
    Change::Apply(Object { location: None, resource }.into())
}

#[test]
fn source_ranges_without_room_are_an_error_of_their_service_alone() {
    let mut node = Node::new(WatchedMaps::unchecked());
    node.feed(vec![ranged("first", 1, names::MAX_SOURCES - 1), ranged("second", 2, 1)]);
    assert_eq!(node.problems(), "");
    let open = |node: &Node| -> Vec<bool> {
        let text = view::effect(&node.maps.inner().fake);
        let is_open = |number: &str| text.contains(&format!("192.0.2.{number}:80/TCP"));
        ["1", "2", "3", "4"].map(is_open).to_vec()
    };
    node.feed(vec![ranged("third", 3, 2), service("fourth", &["10.96.0.4"])]);
    assert_eq!(
        node.problems(),
        "Service default/third is not served right at default/third:http/TCP (IPv4): map sources is \
         full: it takes 65536 entries; remove some\n"
    );
    assert_eq!(open(&node), [true, true, false, false]);
    assert!(view::effect(&node.maps.inner().fake).contains("10.96.0.4:80/TCP"), "the rest");
}
