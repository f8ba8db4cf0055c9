//! Source ports of masqueraded flows, and how they are shared.

use super::fake::orphans;
use super::outcome::Outcome;
use super::world::{ACK, FIN, Host, NAT_PORTS, RST, SYN, UDP, World, packet, peer, rewrite};
use crate::abi::{
    Address, Counter, Delivery, DropReason, FlowFlags, Network, NetworkFlags, NetworkKind, Node,
    NodeFlags, Port, Tries,
};
use crate::flow::Rewrite;
use crate::packet::{Packet, Transport};

type V4 = [u8; 4];

const BACKEND: (V4, u16) = ([10, 1, 0, 3], 8080);
const FRONTEND: (V4, u16) = ([10, 96, 0, 20], 80);

fn world() -> World<V4> {
    World::new(BACKEND.0, Delivery::Bypass)
}

/// A packet of a client outside, of its own address.
fn request(client: u8, port: u16, transport: Transport) -> Packet<V4> {
    packet((Host::host(203, client), port), FRONTEND, transport)
}

/// The port that stands for a client whose packet arrived.
fn port(outcome: Outcome<V4>) -> u16 {
    match outcome {
        Outcome::Peer { rewrite, .. } => rewrite.to.sport.number(),
        other => panic!("not delivered: {other:?}"),
    }
}

fn change_node(world: &World<V4>, change: impl Fn(&mut Node)) {
    change(world.tables.node.lock().unwrap().as_mut().unwrap());
}

#[test]
fn clients_keep_their_port_where_the_node_has_it_to_give_and_nobody_else_has_it() {
    let world = world();
    for (client, own, expected) in [
        (1, 61_500, 61_500),
        (2, 61_500, NAT_PORTS[0]),
        (3, 40_000, NAT_PORTS[0] + 1),
        (4, NAT_PORTS[1], NAT_PORTS[1]),
        (5, NAT_PORTS[1] + 1, NAT_PORTS[0] + 2),
    ] {
        assert_eq!(port(world.arrived(&request(client, own, SYN))), expected, "client {client}");
    }
}

#[test]
fn ports_are_tried_until_one_is_free_and_the_tries_are_counted() {
    let world = world();
    for client in 0..32 {
        world.arrived(&request(client, 40_000, UDP));
    }
    let dropped = Outcome::Drop(DropReason::NoSourcePort);
    assert_eq!(world.arrived(&request(99, 40_000, UDP)), dropped);
    let counted = world.tables.counted.lock().unwrap().clone();
    let tries = [Tries::One, Tries::Two, Tries::Four, Tries::Eight, Tries::Sixteen, Tries::More];
    let histogram = tries.map(|tries| counted[&Counter::Tries(tries)]);
    assert_eq!(histogram, [1, 1, 2, 4, 8, 16]);
}

#[test]
fn a_port_is_free_again_when_its_flow_is_over() {
    let closed = |world: &mut World<V4>| {
        world.arrived(&request(1, 40_000, RST));
    };
    let lingering = |world: &mut World<V4>| {
        world.arrived(&request(1, 40_000, FIN));
        world.sent(&packet(BACKEND, (Host::node(), NAT_PORTS[0]), FIN));
    };
    let past = |world: &mut World<V4>| {
        lingering(world);
        world.now += 121;
    };
    let expired = |world: &mut World<V4>| world.now += 121;
    let alive = |_: &mut World<V4>| ();
    for (name, what, expected) in [
        ("alive", &alive as &dyn Fn(&mut World<V4>), NAT_PORTS[0] + 1),
        ("reset", &closed, NAT_PORTS[0]),
        ("closed by both", &lingering, NAT_PORTS[0] + 1),
        ("closed by both, long ago", &past, NAT_PORTS[0]),
        ("expired", &expired, NAT_PORTS[0]),
    ] {
        let mut world = world();
        world.arrived(&request(1, 40_000, SYN));
        what(&mut world);
        assert_eq!(port(world.arrived(&request(2, 40_000, SYN))), expected, "{name}");
        let flows = if expected == NAT_PORTS[0] { 2 } else { 4 };
        assert_eq!(world.tables.size(), flows, "{name}");
    }
}

/// A backend may remember what both have closed, and refuse the same tuple.
#[test]
fn ports_of_flows_just_closed_are_taken_after_half_of_all_tries() {
    let world = world();
    for client in 0..17 {
        world.arrived(&request(client, 40_000, SYN));
        world.arrived(&request(client, 40_000, FIN));
        let node = (Host::node(), NAT_PORTS[0] + u16::from(client));
        world.sent(&packet(BACKEND, node, FIN));
    }
    assert_eq!(port(world.arrived(&request(99, 40_000, SYN))), NAT_PORTS[0] + 16);
    assert_eq!((world.tables.size(), orphans(&world.tables)), (34, vec![]));
}

/// A client that keeps its address knows what it has closed itself.
#[test]
fn a_client_that_keeps_its_address_has_its_own_port_again_at_once() {
    let world = world();
    let (client, backend) = (([10, 1, 0, 2], 4000), BACKEND);
    let frontends = [([10, 96, 0, 10], 80), ([10, 96, 0, 11], 80)];
    let services = world.tables.services.lock().unwrap().clone();
    for (mut key, service) in
        services.into_iter().filter(|(key, _)| key.addr == Address::widen(frontends[0].0))
    {
        key.addr = Address::widen(frontends[1].0);
        world.tables.services.lock().unwrap().insert(key, service);
    }
    world.sent(&packet(client, frontends[0], SYN));
    world.sent(&packet(client, frontends[0], FIN));
    world.sent(&packet(backend, client, FIN));
    let again = packet(client, frontends[1], SYN);
    assert_eq!(world.sent(&again), peer(13, rewrite(&again, client, backend, true)));
}

#[test]
fn a_node_without_an_address_masquerades_nothing() {
    let dropped = Outcome::Drop(DropReason::NoMasqueradeAddress);
    let world = world();
    change_node(&world, |node| node.masquerade4 = [0; 4]);
    assert_eq!(world.arrived(&request(1, 40_000, SYN)), dropped);
    *world.tables.node.lock().unwrap() = None;
    assert_eq!(world.arrived(&request(1, 40_000, SYN)), dropped);
}

/// Towards a backend that is reached through a tunnel the node has another address.
#[test]
fn clients_of_a_backend_behind_a_tunnel_are_hidden_behind_the_tunnels_own_address() {
    const TUNNEL: V4 = [10, 1, 9, 0];
    let (backend, client) =
        ((Host::host(<V4 as Host>::PEER, 4), 8080), (Host::host(203, 1), 40_000));
    for (flags, tunnel, expected) in [
        (NetworkFlags::TUNNEL, TUNNEL, TUNNEL),
        (NetworkFlags::default(), TUNNEL, Host::node()),
        (NetworkFlags::TUNNEL, [0; 4], Host::node()),
    ] {
        for (transport, answer) in [(SYN, ACK), (UDP, UDP)] {
            let world = World::new(backend.0, Delivery::Stack);
            change_node(&world, |node| node.tunnel4 = tunnel);
            let network =
                Network { kind: NetworkKind::OtherPods.number(), flags, reserved: [0; 2] };
            world.tables.networks.lock().unwrap().insert(backend.0.widen(), network);
            let source = (expected, NAT_PORTS[0]);
            let through = |(src, dst), transport| {
                let (src, dst) = to(world.arrived(&packet(src, dst, transport)));
                to(world.handed(&packet(src, dst, transport)))
            };
            for _ in 0..2 {
                assert_eq!(through((client, FRONTEND), transport), (source, backend));
            }
            assert_eq!(through((backend, source), answer), (FRONTEND, client), "{expected:?}");
            assert_eq!((world.tables.size(), orphans(&world.tables)), (2, vec![]));
        }
    }
}

/// From where to where a packet goes that the stack gets.
fn to(outcome: Outcome<V4>) -> ((V4, u16), (V4, u16)) {
    match outcome {
        Outcome::Stack(Rewrite { to, .. }) => {
            ((to.src, to.sport.number()), (to.dst, to.dport.number()))
        }
        other => panic!("not by the stack: {other:?}"),
    }
}

#[test]
fn ports_that_sockets_may_have_too_are_asked_for() {
    for (flags, expected) in
        [(NodeFlags::default(), NAT_PORTS[0]), (NodeFlags::SHARED_PORTS, NAT_PORTS[0] + 1)]
    {
        let world = world();
        world.tables.sockets.lock().unwrap().push(Port::new(NAT_PORTS[0]));
        change_node(&world, |node| node.flags = flags);
        assert_eq!(port(world.arrived(&request(1, 40_000, SYN))), expected);
    }
}

/// A process may have bound the very port that a client comes from.
#[test]
fn a_client_keeps_its_port_only_where_no_socket_has_it() {
    for (own, expected) in [(61_500, NAT_PORTS[0]), (61_501, 61_501)] {
        let world = world();
        world.tables.sockets.lock().unwrap().extend([61_500, NAT_PORTS[0]].map(Port::new));
        assert_eq!(port(world.arrived(&request(1, own, UDP))), expected, "{own}");
    }
}

#[test]
fn a_process_does_not_begin_what_a_masqueraded_flow_has_begun() {
    let node = (Host::node(), NAT_PORTS[0]);
    for (name, last, silence, transport, expected, flows) in [
        ("open", SYN, 60, SYN, Outcome::Drop(DropReason::SourcePortTaken), 2),
        ("open, not new", SYN, 0, ACK, Outcome::Pass, 2),
        ("closed", RST, 0, SYN, Outcome::Pass, 0),
        ("expired", SYN, 121, SYN, Outcome::Pass, 0),
    ] {
        let mut world = world();
        world.arrived(&request(1, 40_000, SYN));
        world.arrived(&request(1, 40_000, last));
        world.now += silence;
        assert_eq!(world.said(&packet(node, BACKEND, transport)), expected, "{name}");
        assert_eq!(world.tables.size(), flows, "{name}");
    }
}

#[test]
fn a_masqueraded_flow_that_has_expired_is_not_followed_at_the_last_hook() {
    let inside = (Host::host(203, 1), NAT_PORTS[0]);
    for (silence, expected) in [(120, false), (121, true)] {
        let mut world = World::<V4>::new(BACKEND.0, Delivery::Stack);
        world.arrived(&request(1, 40_000, SYN));
        world.now += silence;
        let there = world.handed(&packet(inside, BACKEND, SYN)) == Outcome::Pass;
        assert_eq!(there, expected, "after {silence} seconds");
    }
}

#[test]
fn only_the_client_a_port_stands_for_is_taken_for_it() {
    let world = World::<V4>::new(BACKEND.0, Delivery::Stack);
    world.arrived(&request(1, 40_000, UDP));
    for (name, client, expected) in [("the client", 1, true), ("another", 2, false)] {
        let inside = (Host::host(203, client), NAT_PORTS[0]);
        let there = world.handed(&packet(inside, BACKEND, UDP)) != Outcome::Pass;
        let back = world.handed(&packet(BACKEND, inside, UDP)) != Outcome::Pass;
        assert_eq!((there, back), (expected, expected), "{name}");
    }
}

/// What cannot be redirected of a bypass flow takes the stack's way, and arrives the same.
#[test]
fn a_packet_that_the_stack_has_to_take_is_completed_at_its_last_hook() {
    let (client, node) = ((Host::host(203, 1), 40_000), (Host::node(), NAT_PORTS[0]));
    let inside = (client.0, NAT_PORTS[0]);
    let world = world();
    let first = request(1, 40_000, SYN);
    assert_eq!(world.arrived(&first), peer(13, rewrite(&first, node, BACKEND, true)));
    let last_hop = Packet { ttl: 1, ..first };
    assert_eq!(
        world.arrived(&last_hop),
        Outcome::Stack(rewrite(&last_hop, inside, BACKEND, false))
    );
    let routed = packet(inside, BACKEND, SYN);
    assert_eq!(world.handed(&routed), Outcome::Stack(rewrite(&routed, node, BACKEND, false)));
    let flags = world.tables.flows.lock().unwrap()[&first.key].flags;
    assert!(flags.has(FlowFlags::BYPASS.union(FlowFlags::MASQUERADED)), "{flags:?}");
}

/// The last hook has to know ports that were given out before.
#[test]
fn live_flows_keep_their_port_when_others_are_given_out() {
    let (client, inside) = ((Host::host(203, 1), 40_000), (Host::host(203, 1), NAT_PORTS[0]));
    let world = World::<V4>::new(BACKEND.0, Delivery::Stack);
    world.arrived(&request(1, client.1, SYN));
    change_node(&world, |node| {
        (node.first_port, node.last_port, node.last_known_port) = (62_000, 62_999, 62_999);
    });
    let there = packet(inside, BACKEND, ACK);
    let node = (Host::node(), NAT_PORTS[0]);
    assert_eq!(world.handed(&there), Outcome::Stack(rewrite(&there, node, BACKEND, false)));
    let back = packet(BACKEND, inside, ACK);
    assert_eq!(world.handed(&back), Outcome::Stack(rewrite(&back, FRONTEND, client, false)));
    let other = request(2, client.1, SYN);
    let inside = (Host::host(203, 2), 62_000);
    assert_eq!(world.arrived(&other), Outcome::Stack(rewrite(&other, inside, BACKEND, false)));
}

#[test]
fn flows_that_may_begin_anew_do_so_when_the_nodes_address_changes() {
    let (before, now) = (Host::node(), Host::host(77, 2));
    for (name, begun, next, expected) in [
        ("UDP", UDP, UDP, now),
        ("TCP, SYN again", SYN, SYN, now),
        ("TCP, established", SYN, ACK, before),
    ] {
        let world = world();
        world.arrived(&request(1, 40_000, begun));
        change_node(&world, |node| node.masquerade4 = now);
        let next = request(1, 40_000, next);
        let to = rewrite(&next, (expected, NAT_PORTS[0]), BACKEND, true);
        assert_eq!(world.arrived(&next), peer(13, to), "{name}");
        assert_eq!((world.tables.size(), orphans(&world.tables)), (2, vec![]), "{name}");
    }
}
