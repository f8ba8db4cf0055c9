//! What is in the middle of a TCP connection whose flow nobody knows: the LRU took it, or another
//! proxy began it.

use super::fake::backend_slot;
use super::outcome::Outcome;
use super::world::{ACK, BRIDGE, FIN, Host, RST, SYN, UDP, World, packet};
use super::{Answer, Ingress};
use crate::abi::{BackendId, Delivery, DropReason, NodeFlags, Scopes, Service, ServiceFlags};
use crate::packet::{Packet, TcpFlags, Transport};

const SYN_ACK: Transport = Transport::Tcp(TcpFlags(TcpFlags::SYN.0 | TcpFlags::ACK.0));
const BARE: Transport = Transport::Tcp(TcpFlags(0));

/// A world in which so many serve; the second is on another node.
fn world<A: Host>(backends: u32) -> World<A> {
    let world = World::new(A::host(A::NODE, 3), Delivery::Stack);
    world.tables.add_slot(1, backend_slot(A::host(A::PEER, 4), 8080, 6));
    world.tables.set_scopes(BackendId(6), Scopes::CLUSTER);
    change(&world, |service| Service {
        local_count: backends.min(1),
        cluster_count: backends,
        ..service
    });
    world
}

fn change<A: Host>(world: &World<A>, change: impl Fn(Service) -> Service) {
    world.tables.services.lock().unwrap().values_mut().for_each(|there| *there = change(*there));
}

fn adopt<A: Host>(world: &World<A>) {
    let mut node = world.tables.node.lock().unwrap();
    node.as_mut().unwrap().flags = NodeFlags::ADOPTING;
}

fn segment<A: Host>(port: u16, transport: Transport) -> Packet<A> {
    packet((A::client(), port), (A::vip(), 80), transport)
}

fn backend<A: Host>(outcome: Outcome<A>) -> A {
    match outcome {
        Outcome::Stack(rewrite) => rewrite.to.dst,
        other => panic!("not translated: {other:?}"),
    }
}

fn check<A: Host>() {
    let unreachable = Outcome::Answer(Answer::PortUnreachable);
    let dropped = Outcome::Drop(DropReason::ResetWithoutFlow);
    for (name, backends, transport, expected) in [
        ("many serve", 2, ACK, Some(Outcome::Reset)),
        ("many serve, the end", 2, FIN, Some(Outcome::Reset)),
        ("many serve, an answer", 2, SYN_ACK, Some(Outcome::Reset)),
        ("many serve, nothing said", 2, BARE, Some(Outcome::Reset)),
        ("many serve, a reset", 2, RST, Some(dropped)),
        ("many serve, the begin", 2, SYN, None),
        ("many serve, the begin again", 2, SYN, None),
        ("one serves", 1, ACK, None),
        ("one serves, a reset", 1, RST, Some(dropped)),
        ("nobody serves", 0, ACK, Some(Outcome::Reset)),
        ("nobody serves, the begin", 0, SYN, Some(unreachable)),
    ] {
        let world = world::<A>(backends);
        let outcome = world.sent(&segment(4000, transport));
        match expected {
            Some(expected) => assert_eq!(outcome, expected, "{name}"),
            None => assert_eq!(backend(outcome), A::host(A::NODE, 3), "{name}"),
        }
        assert_eq!(world.tables.size(), if expected.is_some() { 0 } else { 2 }, "{name}");
    }
}

#[test]
fn who_is_in_the_middle_of_a_connection_goes_where_it_went_or_is_told_at_once() {
    check::<[u8; 4]>();
    check::<[u8; 16]>();
}

#[test]
fn a_client_that_is_held_goes_on_with_its_backend() {
    let mut world = world::<[u8; 4]>(2);
    change(&world, |service| Service { affinity_seconds: 100, ..service });
    assert_eq!(world.sent(&segment(4000, ACK)), Outcome::Reset, "held to nobody");
    world.random = u32::MAX;
    let first = backend(world.sent(&segment(4000, SYN)));
    assert_eq!(first, [10, 2, 0, 4]);
    world.tables.flows.lock().unwrap().clear();
    world.random = 0;
    assert_eq!(backend(world.sent(&segment(4000, ACK))), first);
    world.now += 101;
    assert_eq!(world.sent(&segment(4001, ACK)), Outcome::Reset, "held no longer");
}

/// Who is not let in, and who is served elsewhere, learns no more than at the begin.
#[test]
fn what_drops_the_begin_of_a_connection_drops_its_middle() {
    let request = packet((Host::outside(), 4000), (Host::external(), 80), ACK);
    for (flags, reason) in [
        (ServiceFlags::SOURCE_RANGES, DropReason::SourceRanges),
        (ServiceFlags::EXTERNAL_LOCAL, DropReason::NoLocalBackend),
    ] {
        let world = World::<[u8; 4]>::new(Host::host(2, 4), Delivery::Stack);
        world.serve(Host::host(2, 4), flags);
        assert_eq!(world.arrived(&request), Outcome::Drop(reason));
    }
}

#[test]
fn while_another_proxy_is_there_its_connections_pass_and_never_leave_untranslated() {
    let dropped = Outcome::Drop(DropReason::UntranslatedVip);
    for transport in [ACK, FIN, RST, SYN_ACK] {
        for backends in [0, 1, 2] {
            let world = world::<[u8; 4]>(backends);
            let later = segment(4000, transport);
            assert_eq!([world.handed(&later), world.said(&later)], [Outcome::Pass; 2]);
            adopt(&world);
            assert_eq!(world.sent(&later), Outcome::Pass);
            assert_eq!(world.comes(&later, Ingress::Netdev, BRIDGE, &[]), Outcome::Pass);
            assert_eq!([world.handed(&later), world.said(&later)], [dropped; 2]);
            let translated = packet((Host::client(), 4000), (Host::host(1, 3), 8080), transport);
            assert_eq!(world.handed(&translated), Outcome::Pass);
            assert_eq!(world.tables.size(), 0);
        }
    }
    let world = world::<[u8; 4]>(2);
    adopt(&world);
    for transport in [SYN, UDP] {
        let first = segment(4000, transport);
        assert_eq!(backend(world.sent(&first)), [10, 1, 0, 3]);
        assert_eq!(world.handed(&first), dropped);
    }
}

/// The table has room for few flows; the first goes on when it is not there any longer.
#[test]
fn a_live_flow_that_the_table_had_no_room_for_goes_on_where_that_is_certain() {
    for (name, backends, affinity, is_open, expected) in [
        ("many serve", 2, 0, false, Some(Outcome::Reset)),
        ("one serves", 1, 0, false, None),
        ("held", 2, 100, false, None),
        ("while another proxy is there", 2, 0, true, Some(Outcome::Pass)),
        ("the same, one serves", 1, 0, true, Some(Outcome::Pass)),
        ("the same, held", 2, 100, true, Some(Outcome::Pass)),
    ] {
        let mut world = world::<[u8; 4]>(backends);
        world.tables.room = 8;
        change(&world, |service| Service { affinity_seconds: affinity, ..service });
        let first = backend(world.sent(&segment(4000, SYN)));
        assert_eq!(backend(world.sent(&segment(4000, ACK))), first, "{name}: there is room");
        for port in 4001..4020 {
            world.now += 1;
            world.sent(&segment(port, SYN));
        }
        assert_eq!(world.tables.size(), 8, "{name}");
        if is_open {
            adopt(&world);
        }
        let outcome = world.sent(&segment(4000, ACK));
        match expected {
            Some(expected) => assert_eq!(outcome, expected, "{name}"),
            None => assert_eq!(backend(outcome), first, "{name}"),
        }
    }
}
