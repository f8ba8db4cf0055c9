//! Walks of SCTP, whose ports nobody changes. What is the same as with other protocols is not repeated.

use super::fake::{backend_slot, orphans};
use super::outcome::Outcome;
use super::world::{Host, World, neighbour, packet, peer, rewrite};
use super::{Answer, Ingress};
use crate::abi::{
    BackendId, BackendState, Delivery, DropReason, Port, Scopes, Service, ServiceFlags,
};
use crate::packet::{Packet, TcpFlags, Transport};

type V4 = [u8; 4];

const INIT: Transport = Transport::Sctp(TcpFlags::SYN);
const INIT_ACK: Transport = Transport::Sctp(TcpFlags(TcpFlags::SYN.0 | TcpFlags::ACK.0));
const DATA: Transport = Transport::Sctp(TcpFlags(0));
const SHUTDOWN: Transport = Transport::Sctp(TcpFlags::FIN);
const ABORT: Transport = Transport::Sctp(TcpFlags::RST);

/// The port of clients, and of the Service and its backends.
const OWN: u16 = 4000;
const PORT: u16 = 8080;

fn there<A: Host>() -> A {
    A::host(A::NODE, 3)
}

fn change<A: Host>(world: &World<A>, change: impl Fn(Service) -> Service) {
    world.tables.services.lock().unwrap().values_mut().for_each(|there| *there = change(*there));
}

/// A world in which another serves, too, on another node.
fn of_two<A: Host>() -> World<A> {
    let world = World::new(there(), Delivery::Stack);
    world.tables.add_slot(1, backend_slot(A::host(A::PEER, 4), PORT, 6));
    world.tables.set_scopes(BackendId(6), Scopes::CLUSTER);
    change(&world, |service| Service { cluster_count: 2, ..service });
    world
}

fn bypass<A: Host>() {
    let world = World::<A>::new(there(), Delivery::Bypass);
    let (client, vip, backend) = ((A::client(), OWN), (A::vip(), PORT), (there(), PORT));
    for transport in [INIT, DATA, SHUTDOWN] {
        let request = packet(client, vip, transport);
        assert_eq!(world.sent(&request), peer(13, rewrite(&request, client, backend, true)));
        let answer = packet(backend, client, transport);
        assert_eq!(world.sent(&answer), peer(12, rewrite(&answer, vip, client, true)));
    }
    let (outside, external, node) = ((A::outside(), OWN), (A::external(), PORT), (A::node(), OWN));
    let request = packet(outside, external, INIT);
    assert_eq!(world.arrived(&request), peer(13, rewrite(&request, node, backend, true)));
    let answer = packet(backend, node, INIT_ACK);
    assert_eq!(world.sent(&answer), neighbour(rewrite(&answer, external, outside, true)));
    assert_eq!((world.tables.size(), orphans(&world.tables)), (4, vec![]));
}

fn stack<A: Host>() {
    let world = World::<A>::new(there(), Delivery::Stack);
    let (outside, external, node, backend) =
        ((A::outside(), OWN), (A::external(), PORT), (A::node(), OWN), (there(), PORT));
    for transport in [INIT, DATA] {
        let request = packet(outside, external, transport);
        let routed = rewrite(&request, outside, backend, false);
        assert_eq!(world.arrived(&request), Outcome::Stack(routed));
        let last = packet(outside, backend, transport);
        assert_eq!(world.handed(&last), Outcome::Stack(rewrite(&last, node, backend, false)));
        let answer = packet(backend, node, transport);
        let routed = rewrite(&answer, backend, outside, false);
        assert_eq!(world.sent(&answer), Outcome::Stack(routed));
        let last = packet(backend, outside, transport);
        let to = rewrite(&last, external, outside, false);
        assert_eq!(world.handed(&last), Outcome::Stack(to));
    }
    let own = (A::client(), OWN);
    world.serve(A::client(), ServiceFlags::default());
    let request = packet(own, (A::vip(), PORT), INIT);
    let routed = rewrite(&request, own, (A::client(), PORT), false);
    assert_eq!(world.sent(&request), Outcome::Stack(routed));
    let last = packet(own, (A::client(), PORT), INIT);
    let to = rewrite(&last, (A::HAIRPIN, OWN), (A::client(), PORT), false);
    assert_eq!(world.handed(&last), Outcome::Stack(to));
}

#[test]
fn addresses_are_translated_both_ways_and_ports_never() {
    bypass::<[u8; 4]>();
    bypass::<[u8; 16]>();
    stack::<[u8; 4]>();
    stack::<[u8; 16]>();
}

/// Another client's port is the same behind the node's address.
#[test]
fn a_client_whose_port_another_has_towards_the_backend_is_dropped_by_name() {
    let request = |client| packet((Host::host(203, client), OWN), (Host::external(), PORT), INIT);
    let dropped = Outcome::Drop(DropReason::NoSourcePort);
    for (name, last, silence, is_dropped) in [
        ("open", DATA, 0, true),
        ("in silence", DATA, 30, true),
        ("shut down by one", SHUTDOWN, 0, true),
        ("not answered", DATA, 31, false),
        ("aborted", ABORT, 0, false),
    ] {
        let mut world = World::<V4>::new(there(), Delivery::Bypass);
        world.arrived(&request(1));
        world.arrived(&Packet { transport: last, ..request(1) });
        world.now += silence;
        assert_eq!(world.arrived(&request(2)) == dropped, is_dropped, "{name}");
        let counted = (world.tables.size(), orphans(&world.tables));
        assert_eq!(counted, (2, vec![]), "{name}");
    }
}

#[test]
fn a_direct_association_beside_a_live_flow_is_dropped_by_name() {
    let (client, vip, backend) = ((Host::client(), OWN), (Host::vip(), PORT), (there(), PORT));
    for (name, last, expected) in
        [("open", DATA, Outcome::Drop(DropReason::NoSourcePort)), ("aborted", ABORT, Outcome::Pass)]
    {
        let world = World::<V4>::new(there(), Delivery::Bypass);
        world.sent(&packet(client, vip, INIT));
        world.sent(&packet(client, vip, last));
        assert_eq!(world.sent(&packet(client, backend, INIT)), expected, "{name}");
    }
}

fn middle<A: Host>() {
    let unreachable = Outcome::Answer(Answer::PortUnreachable);
    let [unknown, reset] = [DropReason::MiddleWithoutFlow, DropReason::ResetWithoutFlow]
        .map(|reason| Some(Outcome::Drop(reason)));
    for (name, backends, transport, expected) in [
        ("many serve", 2, DATA, unknown),
        ("many serve, the end", 2, SHUTDOWN, unknown),
        ("many serve, an answer", 2, INIT_ACK, unknown),
        ("many serve, the end by force", 2, ABORT, reset),
        ("many serve, the begin", 2, INIT, None),
        ("one serves", 1, DATA, None),
        ("one serves, the end by force", 1, ABORT, reset),
        ("nobody serves", 0, DATA, unknown),
        ("nobody serves, the begin", 0, INIT, Some(unreachable)),
    ] {
        let world = of_two::<A>();
        let local_count = u32::min(backends, 1);
        change(&world, |service| Service { local_count, cluster_count: backends, ..service });
        let request = packet((A::client(), OWN), (A::vip(), PORT), transport);
        let routed = rewrite(&request, (A::client(), OWN), (there(), PORT), false);
        let expected = expected.unwrap_or(Outcome::Stack(routed));
        assert_eq!(world.sent(&request), expected, "{name}");
    }
}

#[test]
fn who_is_in_the_middle_of_an_association_goes_where_it_went_or_is_dropped_by_name() {
    middle::<[u8; 4]>();
    middle::<[u8; 16]>();
}

#[test]
fn an_association_stays_whatever_becomes_of_its_backend_and_begins_anew_elsewhere() {
    use BackendState::{Active, Dead, Terminating};
    for (state, transport, moves) in [
        (Active, INIT, false),
        (Terminating, DATA, false),
        (Terminating, INIT, true),
        (Dead, DATA, false),
        (Dead, SHUTDOWN, false),
        (Dead, INIT, true),
    ] {
        let mut world = of_two::<V4>();
        world.sent(&packet((Host::client(), OWN), (Host::vip(), PORT), INIT));
        world.tables.set_backend(BackendId(5), state);
        world.random = u32::MAX;
        let request = packet((Host::client(), OWN), (Host::vip(), PORT), transport);
        let Outcome::Stack(rewrite) = world.sent(&request) else { panic!("not translated") };
        assert_eq!(rewrite.to.dst != there::<V4>(), moves, "{state:?} {transport:?}");
        assert_eq!(orphans(&world.tables), [], "{state:?} {transport:?}");
    }
}

/// No socket's hook has put a backend in the frontend's place.
#[test]
fn what_the_node_itself_sends_to_a_frontend_does_not_leave() {
    let world = World::<V4>::new(there(), Delivery::Bypass);
    for (to, expected) in [
        (Host::vip(), Outcome::Drop(DropReason::UntranslatedVip)),
        (Host::external(), Outcome::Drop(DropReason::UntranslatedVip)),
        (there(), Outcome::Pass),
    ] {
        assert_eq!(world.said(&packet((Host::node(), OWN), (to, PORT), INIT)), expected);
    }
}

#[test]
fn later_fragments_meet_what_their_first_met() {
    let bytes = [1; 64];
    let world = World::<V4>::new(there(), Delivery::Bypass);
    let whole = packet((Host::client(), OWN), (Host::vip(), PORT), INIT);
    let first = Packet { more_fragments: 1, ..whole };
    let mut later = Packet { transport: Transport::LaterFragment, ..first };
    (later.key.sport, later.key.dport) = (Port::new(0), Port::new(0));
    let [first, later] = [first, later].map(|it| world.comes(&it, Ingress::Pod, 12, &bytes));
    assert_eq!(later, first);
    assert!(matches!(first, Outcome::Peer { .. }), "{first:?}");
}
