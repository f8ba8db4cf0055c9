//! Flows whose answers would look the same: none is taken for another.

use super::fake::orphans;
use super::outcome::Outcome;
use super::world::{ACK, FIN, Host, NAT_PORTS, RST, SYN, UDP, World, packet, rewrite};
use crate::abi::{Address as _, Delivery, FlowKey, ServiceFlags};
use crate::packet::Transport;

type V4 = [u8; 4];
/// An address and a port.
type End = (V4, u16);

const CLIENT: End = ([10, 1, 0, 2], 4000);
const VIP: End = ([10, 96, 0, 10], 80);
const OTHER_VIP: End = ([10, 96, 0, 11], 80);
const BACKEND: End = ([10, 1, 0, 3], 8080);
/// The first port of those that replace a client's own.
const OTHER_PORT: u16 = 61_000;

/// A world in which two addresses lead to one backend.
fn world(delivery: Delivery) -> World<V4> {
    let world = World::new(BACKEND.0, delivery);
    let services = world.tables.services.lock().unwrap().clone();
    for (mut key, service) in services {
        if key.addr == VIP.0.widen() {
            key.addr = OTHER_VIP.0.widen();
            world.tables.services.lock().unwrap().insert(key, service);
        }
    }
    world
}

/// What comes of a packet by the stack's way, from its first hook to its last and seen by its
/// receiver.
fn seen(world: &World<V4>, from: End, to: End, transport: Transport, is_pod: bool) -> (End, End) {
    let first = packet(from, to, transport);
    let outcome = if is_pod { world.sent(&first) } else { world.arrived(&first) };
    let routed = after(outcome, first.key);
    let ends = |key: FlowKey<V4>| ((key.src, key.sport.number()), (key.dst, key.dport.number()));
    let (src, dst) = ends(routed);
    let last = packet(src, dst, transport);
    ends(after(world.handed(&last), last.key))
}

fn after(outcome: Outcome<V4>, key: FlowKey<V4>) -> FlowKey<V4> {
    match outcome {
        Outcome::Pass => key,
        Outcome::Stack(rewrite) => rewrite.to,
        other => panic!("not by the stack: {other:?}"),
    }
}

#[test]
fn two_addresses_of_one_backend_by_one_port_are_two_flows() {
    for (transport, answer) in [(SYN, ACK), (UDP, UDP)] {
        for (client, is_pod) in [(CLIENT, true), ((Host::outside(), 4000), false)] {
            let world = world(Delivery::Stack);
            let there = [VIP, OTHER_VIP].map(|vip| seen(&world, client, vip, transport, is_pod));
            assert_ne!(there[0], there[1], "the backend can tell them apart");
            for (vip, (source, backend)) in [VIP, OTHER_VIP].into_iter().zip(there) {
                assert_eq!(backend, BACKEND);
                assert_eq!(seen(&world, BACKEND, source, answer, true), (vip, client));
            }
            assert_eq!((world.tables.size(), orphans(&world.tables)), (4, vec![]));
        }
    }
}

/// By what became of the first flow: the port that the direct connection comes from.
#[test]
fn a_direct_connection_beside_a_live_flow_has_a_port_of_its_own() {
    for delivery in [Delivery::Bypass, Delivery::Stack] {
        for (name, last, silence, port) in [
            ("open", ACK, 0, OTHER_PORT),
            ("closing", FIN, 0, OTHER_PORT),
            ("reset", RST, 0, CLIENT.1),
            ("expired", SYN, 121, CLIENT.1),
        ] {
            let mut world = world(delivery);
            world.sent(&packet(CLIENT, VIP, SYN));
            world.sent(&packet(CLIENT, VIP, last));
            world.now += silence;
            let source = (CLIENT.0, port);
            for transport in [SYN, SYN, ACK] {
                let there = seen(&world, CLIENT, BACKEND, transport, true);
                assert_eq!(there, (source, BACKEND), "{name}");
            }
            let back = seen(&world, BACKEND, source, ACK, true);
            assert_eq!(back, (BACKEND, CLIENT), "{name}");
            assert_eq!(orphans(&world.tables), [], "{name}");
        }
    }
}

#[test]
fn both_connections_go_on_and_the_direct_one_outlives_the_other() {
    let mut world = world(Delivery::Stack);
    let own = (CLIENT.0, OTHER_PORT);
    world.sent(&packet(CLIENT, VIP, SYN));
    seen(&world, CLIENT, BACKEND, SYN, true);
    assert_eq!(seen(&world, BACKEND, CLIENT, ACK, true), (VIP, CLIENT));
    assert_eq!(seen(&world, BACKEND, own, ACK, true), (BACKEND, CLIENT));
    assert_eq!(seen(&world, CLIENT, VIP, ACK, true), (CLIENT, BACKEND));
    assert_eq!(seen(&world, CLIENT, BACKEND, ACK, true), (own, BACKEND));
    world.sent(&packet(CLIENT, VIP, RST));
    world.now += 20;
    assert_eq!(seen(&world, CLIENT, BACKEND, ACK, true), (own, BACKEND), "still");
    world.sent(&packet(CLIENT, BACKEND, RST));
    assert_eq!(seen(&world, CLIENT, BACKEND, SYN, true), (CLIENT, BACKEND), "no longer");
    assert_eq!(orphans(&world.tables), []);
}

/// A client that keeps its address, from outside.
#[test]
fn a_direct_connection_from_outside_has_a_port_of_its_own() {
    let (client, entrance) = ((Host::outside(), 4000), (Host::external(), 80));
    for (last, port) in [(ACK, OTHER_PORT), (RST, client.1)] {
        let world = World::<V4>::new(BACKEND.0, Delivery::Stack);
        world.serve(BACKEND.0, ServiceFlags::EXTERNAL_LOCAL);
        world.arrived(&packet(client, entrance, SYN));
        world.arrived(&packet(client, entrance, last));
        let source = (client.0, port);
        assert_eq!(seen(&world, client, BACKEND, SYN, false), (source, BACKEND));
        assert_eq!(seen(&world, BACKEND, source, ACK, true), (BACKEND, client));
    }
}

/// A client opens a connection to its backend itself, by the port that stands for it.
#[test]
fn a_direct_connection_by_the_port_of_a_masqueraded_flow_has_one_of_its_own() {
    let (client, entrance) = ((Host::outside(), NAT_PORTS[0]), (Host::external(), 80));
    for (name, last, silence, is_apart) in
        [("open", SYN, 60, true), ("closed", RST, 0, false), ("expired", SYN, 121, false)]
    {
        let mut world = World::<V4>::new(BACKEND.0, Delivery::Stack);
        let request = |transport| packet((client.0, 40_000), entrance, transport);
        world.arrived(&request(SYN));
        world.arrived(&request(last));
        world.now += silence;
        let (source, to) = seen(&world, client, BACKEND, SYN, false);
        assert_eq!((source.0, to), (client.0, BACKEND), "{name}: nobody is hidden");
        assert_eq!(source.1 != client.1, is_apart, "{name}: {source:?}");
        assert_eq!(seen(&world, BACKEND, source, ACK, true), (BACKEND, client), "{name}");
        assert_eq!(orphans(&world.tables), [], "{name}");
    }
}

/// The first packet of a direct connection passes unchanged where there is no other.
#[test]
fn a_direct_connection_alone_has_no_flow() {
    let world = world(Delivery::Bypass);
    let opening = packet(CLIENT, BACKEND, SYN);
    assert_eq!([world.sent(&opening), world.handed(&opening)], [Outcome::Pass; 2]);
    world.sent(&packet((CLIENT.0, 4001), VIP, SYN));
    assert_eq!(world.sent(&opening), Outcome::Pass);
    let own =
        rewrite(&packet((CLIENT.0, 4001), BACKEND, SYN), (CLIENT.0, OTHER_PORT), BACKEND, false);
    assert_eq!(world.sent(&packet((CLIENT.0, 4001), BACKEND, SYN)), Outcome::Stack(own));
}
