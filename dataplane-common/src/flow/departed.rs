//! Connections to pods that are no more, at their clients' node and at their own.

use super::fake::orphans;
use super::outcome::Outcome;
use super::world::{ACK, BRIDGE, FIN, Host, RST, SYN, UDP, World, packet};
use super::{Ingress, Route};
use crate::abi::{Address, BackendId, BackendState, Delivery, Network, NetworkKind, ServiceFlags};
use crate::packet::{Packet, TcpFlags, Transport};

const BARE: Transport = Transport::Tcp(TcpFlags(0));

/// A world whose pods are all behind links of ours.
fn world<A: Host>(backend: A, delivery: Delivery) -> World<A> {
    let world = World::new(backend, delivery);
    let mut node = world.tables.node.lock().unwrap();
    let there = node.as_mut().unwrap();
    let [first, last] = [1, 254].map(|number| A::host(A::NODE, number).widen());
    (there.first_pod4, there.last_pod4) = (Address::narrow(first), Address::narrow(last));
    (there.first_pod6, there.last_pod6) = (first.0, last.0);
    drop(node);
    for (number, kind) in [(3, NetworkKind::OwnPods), (7, NetworkKind::OwnNode)] {
        let network = Network { kind: kind.number(), ..Network::default() };
        let addr = A::host(A::NODE, number).widen();
        world.tables.networks.lock().unwrap().insert(addr, network);
    }
    world
}

fn goes<A: Host>(world: &World<A>, addr: A) {
    world.tables.pods.lock().unwrap().remove(&addr);
}

/// A pod that has no entry, as after a clean-up: its route leads to its link.
fn forget<A: Host>(world: &World<A>, addr: A) {
    goes(world, addr);
    let via = Route::Via { ifindex: 13, next_hop: addr };
    world.tables.routes.lock().unwrap().insert(addr, via);
}

fn at_the_clients_node<A: Host>() {
    use BackendState::{Active, Dead, Terminating};
    use Delivery::{Bypass, Stack};
    let stays: fn(&World<A>, A) = |_, _| {};
    let (pod, elsewhere) = (A::host(A::NODE, 3), A::host(A::PEER, 4));
    for (name, backend, delivery, state, what, next, is_reset) in [
        ("there", pod, Bypass, Active, stays, ACK, false),
        ("there, terminating", pod, Bypass, Terminating, stays, ACK, false),
        ("there, no endpoint", pod, Bypass, Dead, stays, ACK, false),
        ("gone", pod, Bypass, Active, goes, ACK, true),
        ("gone, the end", pod, Bypass, Active, goes, FIN, true),
        ("gone, the end by force", pod, Bypass, Active, goes, RST, false),
        ("gone, the begin", pod, Bypass, Active, goes, SYN, false),
        ("gone, a datagram", pod, Bypass, Active, goes, UDP, false),
        ("forgotten", pod, Bypass, Active, forget, ACK, false),
        ("there, by the stack", pod, Stack, Active, stays, ACK, false),
        ("terminating, by the stack", pod, Stack, Terminating, stays, ACK, false),
        ("no endpoint, by the stack", pod, Stack, Dead, stays, ACK, false),
        ("gone and terminating, by the stack", pod, Stack, Terminating, goes, ACK, true),
        ("gone and no endpoint, by the stack", pod, Stack, Dead, goes, ACK, true),
        ("forgotten, by the stack", pod, Stack, Dead, forget, ACK, false),
        ("elsewhere", elsewhere, Bypass, Dead, stays, ACK, false),
        ("elsewhere, by the stack", elsewhere, Stack, Dead, stays, ACK, false),
    ] {
        for (from, frontend) in [(A::client(), A::vip()), (A::outside(), A::external())] {
            let world = world(backend, delivery);
            let sends = |transport| {
                let packet = packet((from, 4000), (frontend, 80), transport);
                if from == A::client() { world.sent(&packet) } else { world.arrived(&packet) }
            };
            sends(if next == UDP { UDP } else { SYN });
            sends(if next == UDP { UDP } else { ACK });
            world.tables.set_backend(BackendId(5), state);
            what(&world, backend);
            let outcome = sends(next);
            assert_eq!(outcome == Outcome::Reset, is_reset, "{name}: {outcome:?}");
            assert_eq!(orphans(&world.tables), [], "{name}");
        }
    }
}

#[test]
fn a_client_whose_backend_is_gone_is_told_at_once_and_none_whose_backend_lives() {
    at_the_clients_node::<[u8; 4]>();
    at_the_clients_node::<[u8; 16]>();
}

#[test]
fn who_was_told_may_connect_again_by_the_same_port() {
    let (backend, other) = ([10, 1, 0, 3], [10, 1, 0, 4]);
    let world = world(backend, Delivery::Bypass);
    let send = |transport| packet(([10, 1, 0, 2], 4000), ([10, 96, 0, 10], 80), transport);
    world.sent(&send(SYN));
    goes(&world, backend);
    assert_eq!([ACK, ACK].map(|next| world.sent(&send(next))), [Outcome::Reset; 2]);
    world.tables.add_pod(other, super::world::pod(14));
    world.tables.add_slot(0, super::fake::backend_slot(other, 8080, 6));
    let Outcome::Peer { rewrite, .. } = world.sent(&send(SYN)) else { panic!("no new flow") };
    assert_eq!((rewrite.to.dst, orphans(&world.tables)), (other, vec![]));
}

fn at_its_own_node<A: Host>() {
    let (pod, link) = (A::host(A::NODE, 3), A::host(A::NODE, 7));
    let stays: fn(&World<A>, A) = |_, _| {};
    let unknown: fn(&World<A>, A) = |world, addr| {
        goes(world, addr);
        let mut node = world.tables.node.lock().unwrap();
        let node = node.as_mut().unwrap();
        (node.first_pod4, node.last_pod4) = ([255; 4], [0; 4]);
        (node.first_pod6, node.last_pod6) = ([255; 16], [0; 16]);
    };
    for (name, to, what, transport, expected) in [
        ("there", pod, stays, ACK, Outcome::Pass),
        ("gone", pod, goes, ACK, Outcome::Reset),
        ("gone, the end", pod, goes, FIN, Outcome::Reset),
        ("gone, the end by force", pod, goes, RST, Outcome::Pass),
        ("gone, the begin", pod, goes, SYN, Outcome::Pass),
        ("gone, nothing said", pod, goes, BARE, Outcome::Pass),
        ("gone, a datagram", pod, goes, UDP, Outcome::Pass),
        ("forgotten", pod, forget, ACK, Outcome::Pass),
        ("where pods may be elsewhere", pod, unknown, ACK, Outcome::Pass),
        ("the node's own among pods", link, goes, ACK, Outcome::Pass),
        ("of another node", A::host(A::PEER, 4), goes, ACK, Outcome::Pass),
    ] {
        for from in [A::outside(), A::host(A::PEER, 4)] {
            let world = world(A::host(A::NODE, 4), Delivery::Bypass);
            what(&world, to);
            let later = packet((from, 4000), (to, 8080), transport);
            assert_eq!(world.arrived(&later), expected, "{name}");
            let sent = packet((A::client(), 4000), (to, 8080), transport);
            assert_eq!(world.sent(&sent), Outcome::Pass, "{name}, from a pod");
            let beside = world.comes(&later, Ingress::Netdev, BRIDGE, &[]);
            assert_eq!(beside, Outcome::Pass, "{name}, from behind a bridge");
            assert_eq!(world.tables.size(), 0, "{name}");
        }
    }
}

#[test]
fn the_node_answers_for_a_pod_that_is_gone_and_for_no_other() {
    at_its_own_node::<[u8; 4]>();
    at_its_own_node::<[u8; 16]>();
}

/// A client elsewhere whose node masquerades: its node translates the reset.
#[test]
fn the_reset_of_a_pod_that_is_gone_is_the_frontends_to_its_client() {
    let backend = ([10, 2, 0, 4], 8080);
    let world = world::<[u8; 4]>(backend.0, Delivery::Bypass);
    world.serve(backend.0, ServiceFlags::default());
    let client = (Host::outside(), 4000);
    let request: Packet<_> = packet(client, ([10, 96, 0, 20], 80), SYN);
    let Outcome::Neighbour { rewrite: there, .. } = world.arrived(&request) else {
        panic!("not sent on")
    };
    let seen = (there.to.src, there.to.sport.number());
    let outcome = world.arrived(&packet(backend, seen, RST));
    let (Outcome::Neighbour { rewrite: back, .. } | Outcome::Stack(back)) = outcome else {
        panic!("not translated: {outcome:?}")
    };
    assert_eq!(back.to, request.key.turned());
}

/// The maps read for a packet in the middle of a connection to a pod: of hashes two.
#[test]
fn a_packet_that_passes_to_a_pod_costs_two_look_ups() {
    let world = world::<[u8; 4]>([10, 1, 0, 3], Delivery::Bypass);
    let later = packet(([203, 0, 0, 9], 4000), ([10, 1, 0, 3], 22), ACK);
    assert_eq!(world.arrived(&later), Outcome::Pass);
    assert_eq!(*world.tables.reads.lock().unwrap(), ["flows", "node", "pods"]);
}
