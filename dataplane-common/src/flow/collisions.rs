//! Flows whose answers would look the same: none is taken for another.

use super::fake::orphans;
use super::outcome::Outcome;
use super::world::{ACK, FIN, Host, NAT_PORTS, RST, SYN, UDP, World, packet, rewrite};
use crate::abi::{Address as _, Delivery, FlowKey, NetnsId, ServiceFlags};
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
    let (src, dst) = ends(routed);
    let last = packet(src, dst, transport);
    ends(after(world.handed(&last), last.key))
}

fn ends(key: FlowKey<V4>) -> (End, End) {
    ((key.src, key.sport.number()), (key.dst, key.dport.number()))
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

/// What begins a flow, what goes on in it, and what its backend answers.
const KINDS: [[Transport; 3]; 2] = [[SYN, ACK, ACK], [UDP, UDP, UDP]];

/// By what became of the first flow: the port that what goes to the backend itself comes from.
#[test]
fn what_goes_to_a_backend_itself_beside_a_live_flow_has_a_port_of_its_own() {
    for delivery in [Delivery::Bypass, Delivery::Stack] {
        for (name, last, silence, port) in [
            ("open", ACK, 0, OTHER_PORT),
            ("closing", FIN, 0, OTHER_PORT),
            ("reset", RST, 0, CLIENT.1),
            ("expired", SYN, 121, CLIENT.1),
            ("datagrams", UDP, 0, OTHER_PORT),
            ("datagrams, expired", UDP, 31, CLIENT.1),
        ] {
            let [begins, goes_on, answers] = KINDS[usize::from(last == UDP)];
            let mut world = world(delivery);
            world.sent(&packet(CLIENT, VIP, begins));
            world.sent(&packet(CLIENT, VIP, last));
            world.now += silence;
            let source = (CLIENT.0, port);
            for transport in [begins, begins, goes_on] {
                let there = seen(&world, CLIENT, BACKEND, transport, true);
                assert_eq!(there, (source, BACKEND), "{name}");
            }
            let back = seen(&world, BACKEND, source, answers, true);
            assert_eq!(back, (BACKEND, CLIENT), "{name}");
            assert_eq!(orphans(&world.tables), [], "{name}");
        }
    }
}

/// The client's socket that is connected to the backend itself.
fn connect(world: &World<V4>, proto: Transport) {
    let netns = world.tables.pods.lock().unwrap()[&CLIENT.0].netns;
    let received = packet(BACKEND, CLIENT, proto).key;
    world.tables.connected.lock().unwrap().push((netns, received));
}

/// A client speaks to the backend itself first, and then by a Service.
#[test]
fn a_flow_beside_what_goes_to_its_backend_itself_has_a_port_of_its_own() {
    for delivery in [Delivery::Bypass, Delivery::Stack] {
        for [begins, goes_on, answers] in KINDS {
            let world = world(delivery);
            assert_eq!(seen(&world, CLIENT, BACKEND, begins, true), (CLIENT, BACKEND));
            connect(&world, begins);
            let own = (CLIENT.0, OTHER_PORT);
            for transport in [begins, begins, goes_on] {
                assert_eq!(there(&world, VIP, transport), (own, BACKEND), "{delivery:?}");
                assert_eq!(seen(&world, CLIENT, BACKEND, goes_on, true), (CLIENT, BACKEND));
            }
            assert_eq!(back(&world, own, answers), (VIP, CLIENT), "{delivery:?}");
            assert_eq!(seen(&world, BACKEND, CLIENT, answers, true), (BACKEND, CLIENT));
            assert_eq!((world.tables.size(), orphans(&world.tables)), (2, vec![]));
        }
    }
}

/// A flow that the LRU took begins anew by the port that it had: what goes to the backend itself has
/// one of its own.
#[test]
fn a_flow_that_was_first_comes_back_by_its_own_port() {
    for [begins, goes_on, _] in KINDS {
        let world = world(Delivery::Stack);
        there(&world, VIP, begins);
        connect(&world, begins);
        let apart = seen(&world, CLIENT, BACKEND, begins, true);
        assert_eq!(apart, ((CLIENT.0, OTHER_PORT), BACKEND));
        let key = packet(CLIENT, VIP, begins).key;
        let entry = world.tables.flows.lock().unwrap().remove(&key).unwrap();
        world.tables.flows.lock().unwrap().remove(&entry.sibling(key.proto));
        assert_eq!(there(&world, VIP, goes_on), (CLIENT, BACKEND));
        assert_eq!(orphans(&world.tables), []);
    }
}

/// Only a new flow asks for sockets, only in the client's own namespace, and what is not connected to
/// the backend by the very port is in nobody's way.
#[test]
fn other_sockets_are_in_no_flows_way() {
    for [begins, goes_on, _] in KINDS {
        let other = |netns, key: FlowKey<V4>| {
            let world = world(Delivery::Stack);
            seen(&world, (CLIENT.0, 5000), BACKEND, begins, true);
            world.tables.connected.lock().unwrap().push((netns, key));
            let first = there(&world, VIP, begins);
            let asked = asked(&world);
            there(&world, VIP, goes_on);
            assert_eq!(self::asked(&world), asked, "for a new flow alone");
            first
        };
        let own = packet(BACKEND, CLIENT, begins).key;
        let [netns, another] = [NetnsId(12), NetnsId(13)];
        assert_eq!(other(netns, own), ((CLIENT.0, OTHER_PORT), BACKEND));
        assert_eq!(other(another, own), (CLIENT, BACKEND), "another pod's");
        let port = packet(BACKEND, (CLIENT.0, 4001), begins).key;
        assert_eq!(other(netns, port), (CLIENT, BACKEND), "another port's");
    }
}

/// Most flows begin by a datagram to a resolver, and few pods send any to but Services.
#[test]
fn who_sends_datagrams_to_services_alone_is_asked_for_no_socket() {
    let world = world(Delivery::Bypass);
    there(&world, VIP, UDP);
    world.sent(&packet(BACKEND, (CLIENT.0, 5000), UDP));
    world.sent(&packet(CLIENT, BACKEND, ACK));
    there(&world, OTHER_VIP, UDP);
    assert_eq!(asked(&world), 0);
    world.sent(&packet((CLIENT.0, 5000), BACKEND, UDP));
    out(&world, (CLIENT.0, 6000), VIP, UDP);
    assert_eq!(asked(&world), 1, "once it has sent one to a backend itself");
}

/// How often sockets were looked for.
fn asked(world: &World<V4>) -> usize {
    world.tables.reads.lock().unwrap().iter().filter(|map| **map == "sockets").count()
}

/// Where a packet to a Service comes out.
fn there(world: &World<V4>, vip: End, transport: Transport) -> (End, End) {
    out(world, CLIENT, vip, transport)
}

/// Where an answer comes out.
fn back(world: &World<V4>, to: End, transport: Transport) -> (End, End) {
    out(world, BACKEND, to, transport)
}

/// What comes of a pod's packet, whichever way it takes.
fn out(world: &World<V4>, from: End, to: End, transport: Transport) -> (End, End) {
    let first = packet(from, to, transport);
    match world.sent(&first) {
        Outcome::Peer { rewrite, .. } => ends(rewrite.to),
        other => {
            let (src, dst) = ends(after(other, first.key));
            let last = packet(src, dst, transport);
            ends(after(world.handed(&last), last.key))
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
