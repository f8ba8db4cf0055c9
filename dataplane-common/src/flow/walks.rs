//! Packets of whole walks, hook by hook; each row in both families.

use super::Answer;
use super::fake::orphans;
use super::outcome::Outcome;
use super::world::{ACK, Host, SYN, UDP, UPLINK, World, packet, peer, pod, rewrite, walks};
use crate::abi::{Address, Delivery, DropReason, Pod, PodFlags, Service};
use crate::packet::{Packet, Transport};

walks! {
    fn bypass_to_a_backend_of_this_node<A: Host>(transport: Transport) {
        let (client, vip, backend) = ((A::client(), 4000), (A::vip(), 80), (A::host(A::NODE, 3), 8080));
        let world = World::new(backend.0, Delivery::Bypass);
        let request = packet(client, vip, transport);
        let there = rewrite(&request, client, backend, true);
        let answer = packet(backend, client, if transport == SYN { ACK } else { UDP });
        let back = rewrite(&answer, vip, client, true);
        for _ in 0..2 {
            assert_eq!(world.sent(&request), peer(13, there));
            assert_eq!(world.sent(&answer), peer(12, back));
        }
        assert_eq!((world.tables.size(), orphans(&world.tables)), (2, vec![]));
    }

    fn bypass_to_a_backend_of_another_node<A: Host>(transport: Transport) {
        let (client, vip, backend) = ((A::client(), 4000), (A::vip(), 80), (A::host(A::PEER, 4), 8080));
        let world = World::new(backend.0, Delivery::Bypass);
        let request = packet(client, vip, transport);
        let there = rewrite(&request, client, backend, true);
        let next_hop = A::host(A::PEER, 1);
        let answer = packet(backend, client, transport);
        assert_eq!(world.sent(&request), Outcome::Neighbour { rewrite: there, ifindex: UPLINK, next_hop });
        assert_eq!(world.arrived(&answer), peer(12, rewrite(&answer, vip, client, true)));
    }

    fn the_stack_sees_client_and_backend_in_both_directions<A: Host>(transport: Transport) {
        for (net, number) in [(A::NODE, 3), (A::PEER, 4)] {
            let (client, vip, backend) = ((A::client(), 4000), (A::vip(), 80), (A::host(net, number), 8080));
            let world = World::new(backend.0, Delivery::Stack);
            let request = packet(client, vip, transport);
            assert_eq!(world.sent(&request), Outcome::Stack(rewrite(&request, client, backend, false)));
            assert_eq!(world.handed(&packet(client, backend, transport)), Outcome::Pass);
            let answer = packet(backend, client, transport);
            if net == A::NODE {
                assert_eq!(world.sent(&answer), Outcome::Pass);
            }
            assert_eq!(world.arrived(&answer), Outcome::Pass);
            assert_eq!(world.handed(&answer), Outcome::Stack(rewrite(&answer, vip, client, false)));
        }
    }

    fn bypass_to_itself<A: Host>(transport: Transport) {
        let (client, vip, stand_in) = ((A::client(), 4000), (A::vip(), 80), (A::HAIRPIN, 4000));
        let backend = (A::client(), 8080);
        let world = World::new(backend.0, Delivery::Bypass);
        let request = packet(client, vip, transport);
        assert_eq!(world.sent(&request), peer(12, rewrite(&request, stand_in, backend, true)));
        let answer = packet(backend, stand_in, transport);
        assert_eq!(world.sent(&answer), peer(12, rewrite(&answer, vip, client, true)));
    }

    fn to_itself_through_the_stack<A: Host>(transport: Transport) {
        let (client, vip, stand_in) = ((A::client(), 4000), (A::vip(), 80), (A::HAIRPIN, 4000));
        let backend = (A::client(), 8080);
        let world = World::new(backend.0, Delivery::Stack);
        let request = packet(client, vip, transport);
        assert_eq!(world.sent(&request), Outcome::Stack(rewrite(&request, client, backend, false)));
        let routed = packet(client, backend, transport);
        assert_eq!(world.handed(&routed), Outcome::Stack(rewrite(&routed, stand_in, backend, false)));
        let answer = packet(backend, stand_in, transport);
        assert_eq!(world.sent(&answer), Outcome::Stack(rewrite(&answer, backend, client, false)));
        let routed = packet(backend, client, transport);
        assert_eq!(world.handed(&routed), Outcome::Stack(rewrite(&routed, vip, client, false)));
    }

    fn a_backend_that_is_the_node_is_reached_by_the_stack_and_answers_by_it<A: Host>(transport: Transport) {
        let (client, vip, backend) = ((A::client(), 4000), (A::vip(), 80), (A::node(), 8080));
        let world = World::new(backend.0, Delivery::Bypass);
        let request = packet(client, vip, transport);
        assert_eq!(world.sent(&request), Outcome::Stack(rewrite(&request, client, backend, false)));
        let answer = packet(backend, client, transport);
        assert_eq!(world.handed(&answer), Outcome::Stack(rewrite(&answer, vip, client, false)));
    }

    fn what_only_the_stack_can_do_is_left_to_it<A: Host>(transport: Transport) {
        let (client, vip, backend) = ((A::client(), 4000), (A::vip(), 80), (A::host(A::NODE, 3), 8080));
        let request = packet(client, vip, transport);
        let stack = Outcome::Stack(rewrite(&request, client, backend, false));
        let world = World::new(backend.0, Delivery::Bypass);
        assert_eq!(world.sent(&Packet { ttl: 1, ..request }), stack, "TTL 1");
        world.tables.add_pod(backend.0, Pod { flags: PodFlags::NO_PEER, ..pod(13) });
        assert_eq!(world.sent(&request), stack, "bandwidth limit at the egress");
        let mut world = World::new(backend.0, Delivery::Bypass);
        world.segment = 1401;
        assert_eq!(world.sent(&Packet { may_fragment: true, ..request }), stack, "fragmentation");
    }

    fn what_does_not_fit_is_answered_with_the_mtu_of_the_way<A: Host>(transport: Transport) {
        for (net, number, mtu) in [(A::NODE, 3, 1400), (A::PEER, 4, 1300)] {
            let mut world = World::new(A::host(net, number), Delivery::Bypass);
            let request = packet((A::client(), 4000), (A::vip(), 80), transport);
            world.segment = mtu + 1;
            assert_eq!(world.sent(&request), Outcome::Answer(Answer::TooBig { mtu }));
            world.segment = mtu;
            assert_ne!(world.sent(&request), Outcome::Answer(Answer::TooBig { mtu }));
        }
    }

    fn what_is_no_ones_passes<A: Host>(transport: Transport) {
        let world = World::new(A::host(A::NODE, 3), Delivery::Bypass);
        for (src, dst) in [
            ((A::client(), 4000), (A::host(A::NODE, 3), 8080)),
            ((A::client(), 4000), (A::vip(), 81)),
        ] {
            let stray = packet(src, dst, transport);
            let verdicts = [world.sent(&stray), world.arrived(&stray), world.handed(&stray)];
            assert_eq!(verdicts, [Outcome::Pass; 3]);
        }
        assert_eq!(world.tables.size(), 0);
    }

    fn a_frontend_nobody_serves_answers_port_unreachable<A: Host>(transport: Transport) {
        let world = World::new(A::host(A::NODE, 3), Delivery::Bypass);
        let proto = packet((A::client(), 1), (A::vip(), 1), transport).key.proto;
        world.tables.add_service(A::vip(), 82, proto, Service::default());
        let request = packet((A::client(), 4000), (A::vip(), 82), transport);
        assert_eq!(world.sent(&request), Outcome::Answer(Answer::PortUnreachable));
    }
}

/// The maps read for a packet: `slots`, `backends` and `node` are arrays, the others hashes.
#[test]
fn choosing_takes_one_hash_and_one_array_and_a_known_flow_two_hashes() {
    for (net, number, delivery, known) in [
        (1, 3, Delivery::Bypass, &["flows", "backends", "pods"][..]),
        (2, 4, Delivery::Bypass, &["flows", "backends", "links"]),
        (1, 3, Delivery::Stack, &["flows", "backends"]),
    ] {
        let world = World::<[u8; 4]>::new(Host::host(net, number), delivery);
        let request = packet((Host::client(), 4000), (Host::vip(), 80), SYN);
        let reads = || {
            world.sent(&request);
            std::mem::take(&mut *world.tables.reads.lock().unwrap())
        };
        let begun = reads();
        let choice: Vec<_> =
            begun.into_iter().filter(|map| ["services", "slots", "node"].contains(map)).collect();
        assert_eq!(choice, ["services", "node", "slots"]);
        assert_eq!(reads(), known);
    }
}

#[test]
fn fragments_without_ports_are_dropped_only_where_they_are_for_a_frontend() {
    let world = World::<[u8; 4]>::new(Host::host(1, 3), Delivery::Bypass);
    let fragment = |dst| packet((Host::client(), 0), (dst, 0), Transport::LaterFragment);
    let dropped = Outcome::Drop(DropReason::FragmentToFrontend);
    assert_eq!(world.sent(&fragment(Host::vip())), dropped);
    assert_eq!(world.sent(&fragment(Host::host(1, 3))), Outcome::Pass);
}

#[test]
fn what_is_for_the_stand_in_and_of_no_flow_goes_nowhere() {
    let world = World::<[u8; 4]>::new(Host::host(1, 3), Delivery::Stack);
    let stray = |transport| packet((Host::client(), 80), (Address::HAIRPIN, 4000), transport);
    let dropped = Outcome::Drop(DropReason::HairpinWithoutFlow);
    assert_eq!([SYN, UDP].map(|transport| world.sent(&stray(transport))), [dropped; 2]);
    let fragment = stray(Transport::LaterFragment);
    assert_eq!(world.sent(&fragment), Outcome::Drop(DropReason::FragmentToFrontend));
}
