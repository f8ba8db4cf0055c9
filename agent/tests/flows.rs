//! Packets on what was reconciled: objects in, the backend of a flow out.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::support::node::{NAME, Node};
use crate::support::objects::{Endpoint, Shape, service, slice};
use crate::support::packets::{Chance, packet};
use crate::support::watched::WatchedMaps;
use dataplane_common::abi::{
    Addr, Delivery, DropReason, FlowKey, Network, NetworkFlags, NetworkKind, Node as NodeEntry,
    Port, Proto,
};
use dataplane_common::flow::{Arrival, Ingress, Verdict, Work, arrive};
use dataplane_common::packet::{TcpFlags, Transport};
use waggle_agent::k8s::Change;

const VIP: [u8; 4] = [10, 96, 0, 1];
const EXTERNAL: [u8; 4] = [192, 0, 2, 200];
const NODE: [u8; 4] = [192, 0, 2, 1];
const NODE_PORT: u16 = 30_080;
const TCP: Transport = Transport::Tcp(TcpFlags::SYN);
const POD: Client = (Ingress::Pod, [10, 1, 0, 100]);
const OUTSIDE: Client = (Ingress::Netdev, [203, 0, 113, 2]);

/// What a client comes in by, and its address.
type Client = (Ingress, [u8; 4]);
/// Where a client connects to.
type Way = ([u8; 4], u16);

/// What becomes of the first packet of a flow, and the tuple it leaves with.
fn send(
    node: &Node,
    (by, src): Client,
    (dst, dport): Way,
    sport: u16,
    chance: Chance,
) -> (Verdict, FlowKey<[u8; 4]>) {
    let (sport, dport, reserved) = (Port::new(sport), Port::new(dport), [0; 3]);
    let key = FlowKey { src, dst, sport, dport, proto: Proto::TCP, reserved };
    let packet = packet(key, TCP);
    let arrival = Arrival { by, ifindex: 1, segment: 60, delivery: Delivery::Stack };
    let tables = &node.maps.inner().fake;
    let mut work = Work::default();
    let verdict = arrive(&mut packet.clone(), &&[][..], &arrival, tables, &chance, &mut work);
    (verdict, work.exit.rewrite.to)
}

fn pod_sends(node: &Node, vip: [u8; 4], port: u16, random: u32) -> (Verdict, FlowKey<[u8; 4]>) {
    send(node, POD, (vip, 80), port, Chance::of(random))
}

/// The last byte of the backend's address.
fn backend_of(node: &Node, vip: [u8; 4], port: u16, random: u32) -> u8 {
    match pod_sends(node, vip, port, random) {
        (Verdict::Stack, to) => to.dst[3],
        (other, _) => panic!("{other:?}: not served"),
    }
}

/// The backends that new flows meet, over all random numbers.
fn backends(node: &Node, ports: std::ops::Range<u16>) -> BTreeSet<u8> {
    let count = u32::from(ports.end - ports.start);
    let step = u32::MAX / count;
    (0..count).zip(ports).map(|(index, port)| backend_of(node, VIP, port, index * step)).collect()
}

fn node(policy: &str, endpoints: &[Endpoint<'_>]) -> Node {
    let internal_local = policy == "Local";
    serving(&Shape { internal_local, ..Shape::of("web", &["10.96.0.1"]) }, endpoints)
}

/// A node that masquerades with ports from 40000 on.
fn serving(shape: &Shape, endpoints: &[Endpoint<'_>]) -> Node {
    let mut node = Node::new(WatchedMaps::default());
    node.feed(vec![shape.change(), web(endpoints)]);
    let fake = &mut node.maps.inner_mut().fake;
    fake.node = Some(NodeEntry {
        masquerade4: NODE,
        first_port: 40_000,
        last_port: 50_000,
        first_known_port: 40_000,
        last_known_port: 50_000,
        ..NodeEntry::default()
    });
    let own = Network {
        kind: NetworkKind::OwnNode.number(),
        flags: NetworkFlags::NODE_PORTS,
        reserved: [0; 2],
    };
    fake.networks.insert((Addr::from(IpAddr::from(NODE)), 128), own);
    node
}

fn ways_in() -> Shape {
    Shape {
        node_port: NODE_PORT,
        load_balancer_ips: vec![IpAddr::from(EXTERNAL).to_string()],
        ..Shape::of("web", &["10.96.0.1"])
    }
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
        ("nobody", "Cluster", vec![], Verdict::Answer),
        ("nobody, local", "Local", vec![], Verdict::Answer),
        (
            "elsewhere only",
            "Local",
            vec![there(2, "ready")],
            Verdict::Drop(DropReason::NoLocalBackend),
        ),
    ] {
        let (verdict, _) = pod_sends(&node(policy, &endpoints), VIP, 1000, 0);
        assert_eq!(verdict, expected, "{name}");
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
    assert_eq!(pod_sends(&node, VIP, 3000, 0).0, Verdict::Pass);
}

/// Whom a client meets, `L` the local backend and `R` the remote one, and `+` where it is
/// masqueraded.
fn met(node: &Node, client: Client, way: Way) -> String {
    let mut met = BTreeSet::new();
    for (random, sport) in [0, u32::MAX].into_iter().zip(1000..) {
        let (verdict, to) = send(node, client, way, sport, Chance::of(random));
        assert_eq!(verdict, Verdict::Stack, "{client:?} to {way:?}");
        let side = if to.dst[3] == 1 { "L" } else { "R" };
        let masqueraded = if to.sport == Port::new(sport) { "" } else { "+" };
        met.insert((side, masqueraded));
    }
    let masqueraded: BTreeSet<_> = met.iter().map(|(_, masqueraded)| *masqueraded).collect();
    met.iter().map(|(side, _)| *side).chain(masqueraded).collect()
}

#[test]
fn every_way_in_leads_where_kube_proxy_leads() {
    let cluster_ip = (VIP, 80);
    let node_port = (NODE, NODE_PORT);
    let load_balancer = (EXTERNAL, 80);
    let shapes = [
        ways_in(),
        Shape { external_local: true, ..ways_in() },
        Shape { internal_local: true, ..ways_in() },
    ];
    for (client, way, expected) in [
        (POD, cluster_ip, ["LR", "LR", "L"]),
        (POD, node_port, ["LR+", "LR", "LR+"]),
        (POD, load_balancer, ["LR+", "LR", "LR+"]),
        (OUTSIDE, cluster_ip, ["LR+", "LR+", "L+"]),
        (OUTSIDE, node_port, ["LR+", "L", "LR+"]),
        (OUTSIDE, load_balancer, ["LR+", "L", "LR+"]),
    ] {
        let met = shapes.each_ref().map(|shape| {
            let node = serving(shape, &[here(1, "ready"), there(2, "ready")]);
            met(&node, client, way)
        });
        assert_eq!(met, expected, "{client:?} to {way:?}");
    }
}

#[test]
fn a_client_stays_with_its_backend_over_all_ways_in_until_it_is_long_gone() {
    let on = Shape { affinity_seconds: Some(60), ..ways_in() };
    let mut node = serving(&on, &[here(1, "ready"), there(2, "ready")]);
    let to = |node: &Node, way, sport, chance| send(node, POD, way, sport, chance).1.dst[3];
    let (low, high) = (0, u32::MAX);
    let [now, soon, late] = [1000, 1060, 1121];
    assert_eq!(to(&node, (VIP, 80), 1, Chance { random: high, now }), 2);
    assert_eq!(
        to(&node, (NODE, NODE_PORT), 2, Chance { random: low, now: soon }),
        2,
        "a node port"
    );
    node.restart_without_source();
    node.feed(vec![on.change(), web(&[here(1, "ready"), there(2, "ready")])]);
    node.feed(vec![Change::Listed { complete: true }]);
    assert_eq!(to(&node, (VIP, 80), 3, Chance { random: low, now: soon }), 2, "a restart");
    let off = Shape { affinity_seconds: None, ..on.clone() };
    node.feed(vec![off.change()]);
    node.feed(vec![on.change()]);
    assert_eq!(to(&node, (VIP, 80), 4, Chance { random: low, now: soon }), 1, "switched");
    assert_eq!(to(&node, (VIP, 80), 5, Chance { random: high, now: soon }), 1, "and held again");
    assert_eq!(to(&node, (VIP, 80), 6, Chance { random: high, now: late }), 2, "long gone");
}
