//! Packets on what was reconciled: objects in, the backend of a flow out.

use std::collections::BTreeSet;

use crate::support::node::{NAME, Node};
use crate::support::objects::{Endpoint, Shape, service, slice};
use crate::support::watched::WatchedMaps;
use dataplane_common::abi::{Delivery, DropReason, FlowKey, Port, Proto};
use dataplane_common::flow::{Arrival, Env, Verdict, Work, from_pod};
use dataplane_common::packet::{Packet, TcpFlags, Transport};
use waggle_agent::k8s::Change;

const VIP: [u8; 4] = [10, 96, 0, 1];
const TCP: Transport = Transport::Tcp(TcpFlags::SYN);

struct Chance(u32);

impl Env for Chance {
    fn now(&self) -> u32 {
        1000
    }

    fn random(&self) -> u32 {
        self.0
    }
}

/// What becomes of a packet of a pod's flow, told apart by the pod's port.
fn send(node: &Node, vip: [u8; 4], port: u16, random: u32) -> Verdict<[u8; 4]> {
    let key = FlowKey {
        src: [10, 1, 0, 100],
        dst: vip,
        sport: Port::new(port),
        dport: Port::new(80),
        proto: Proto::TCP,
        reserved: [0; 3],
    };
    let packet =
        Packet { key, l3: 14, l4: 34, length: 60, ttl: 64, may_fragment: false, transport: TCP };
    let arrival = Arrival { segment: 60, delivery: Delivery::Stack };
    let tables = &node.maps.inner().fake;
    from_pod(&packet, &&[][..], &arrival, tables, &Chance(random), &mut Work::default())
}

/// The last byte of the backend's address.
fn backend_of(node: &Node, vip: [u8; 4], port: u16, random: u32) -> u8 {
    match send(node, vip, port, random) {
        Verdict::Stack(rewrite) => rewrite.to.dst[3],
        other => panic!("{other:?}: not served"),
    }
}

/// The backends that new flows meet, over all random numbers.
fn backends(node: &Node, ports: std::ops::Range<u16>) -> BTreeSet<u8> {
    let count = u32::from(ports.end - ports.start);
    let step = u32::MAX / count;
    (0..count).zip(ports).map(|(index, port)| backend_of(node, VIP, port, index * step)).collect()
}

fn node(policy: &str, endpoints: &[Endpoint<'_>]) -> Node {
    let mut node = Node::new(WatchedMaps::default());
    let internal_local = policy == "Local";
    let shape = Shape { internal_local, ..Shape::of("web", &["10.96.0.1"]) };
    node.feed(vec![shape.change(), web(endpoints)]);
    node
}

fn web(endpoints: &[Endpoint<'_>]) -> Change {
    slice("web-1", "web", endpoints)
}

fn here(number: u8, condition: &'static str) -> Endpoint<'static> {
    (format!("10.1.0.{number}"), NAME, condition)
}

fn there(number: u8, condition: &'static str) -> Endpoint<'static> {
    (format!("10.1.0.{number}"), "node-b", condition)
}

#[test]
fn new_flows_meet_who_the_policy_admits() {
    for (name, policy, endpoints, expected) in [
        ("all ready", "Cluster", vec![here(1, "ready"), there(2, "ready")], vec![1, 2]),
        ("local", "Local", vec![here(1, "ready"), there(2, "ready")], vec![1]),
        (
            "draining is left out",
            "Cluster",
            vec![here(1, "terminating"), there(2, "ready")],
            vec![2],
        ),
        ("local falls back", "Local", vec![here(1, "terminating"), there(2, "ready")], vec![1]),
        ("cluster falls back", "Cluster", vec![here(1, "terminating"), there(2, "gone")], vec![1]),
    ] {
        let node = node(policy, &endpoints);
        assert_eq!(backends(&node, 1000..1040), expected.into_iter().collect(), "{name}");
    }
}

#[test]
fn without_backends_flows_are_refused_as_the_policy_says() {
    for (name, policy, endpoints, expected) in [
        (
            "nobody",
            "Cluster",
            vec![],
            Verdict::Answer(dataplane_common::flow::Answer::PortUnreachable),
        ),
        (
            "nobody, local",
            "Local",
            vec![],
            Verdict::Answer(dataplane_common::flow::Answer::PortUnreachable),
        ),
        (
            "elsewhere only",
            "Local",
            vec![there(2, "ready")],
            Verdict::Drop(DropReason::NoLocalBackend),
        ),
    ] {
        assert_eq!(send(&node(policy, &endpoints), VIP, 1000, 0), expected, "{name}");
    }
}

#[test]
fn an_endpoint_that_leaves_one_service_stays_in_the_other() {
    let mut node = node("Cluster", &[here(1, "ready")]);
    node.feed(vec![service("shop", &["10.96.0.2"]), slice("shop-1", "shop", &[here(1, "ready")])]);
    let shop = [10, 96, 0, 2];
    assert_eq!([backend_of(&node, VIP, 1000, 0), backend_of(&node, shop, 2000, 0)], [1, 1]);
    node.feed(vec![web(&[here(2, "ready")])]);
    assert_eq!([backend_of(&node, VIP, 1000, 0), backend_of(&node, shop, 2000, 0)], [2, 1]);
}

#[test]
fn a_deleted_service_is_unknown() {
    let mut node = node("Cluster", &[here(1, "ready")]);
    assert_eq!(backend_of(&node, VIP, 1000, 0), 1);
    node.feed(vec![crate::support::objects::delete(waggle_agent::k8s::Kind::Service, "web")]);
    assert_eq!(send(&node, VIP, 3000, 0), Verdict::Pass);
}
