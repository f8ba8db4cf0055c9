//! Walks of flows that begin outside, or reach a Service by what is meant for outside; each row in
//! both families.

use super::outcome::Outcome;
use super::world::{
    ACK, BRIDGE, FIN, Host, NODE_PORT, RST, SYN, UDP, World, neighbour, packet, peer, rewrite,
    walks,
};
use super::{Answer, FlowTable as _, Ingress};
use crate::abi::{Delivery, DropReason, FlowFlags, NodeFlags, Proto, Service, ServiceFlags};
use crate::packet::{Packet, Transport};

/// The answer to a packet.
fn answered(transport: Transport) -> Transport {
    if transport == SYN { ACK } else { UDP }
}

/// The first port that stands for a client whose own does not.
const NAT: u16 = 61_000;

/// A load balancer's address and a NodePort.
fn entrances<A: Host>() -> [(A, u16); 2] {
    [(A::external(), 80), (A::node(), NODE_PORT)]
}

walks! {
    fn bypass_from_outside_hides_the_client_and_shows_it_the_frontend<A: Host>(transport: Transport) {
        let (client, node) = ((A::outside(), 4000), (A::node(), NAT));
        for frontend in entrances::<A>() {
            for (backend, is_here) in [(A::host(A::NODE, 3), true), (A::host(A::PEER, 4), false)] {
                let world = World::new(backend, Delivery::Bypass);
                let backend = (backend, 8080);
                let request = packet(client, frontend, transport);
                let there = rewrite(&request, node, backend, true);
                let answer = packet(backend, node, answered(transport));
                let back = neighbour(rewrite(&answer, frontend, client, true));
                for _ in 0..2 {
                    if is_here {
                        assert_eq!(world.arrived(&request), peer(13, there));
                        assert_eq!(world.sent(&answer), back);
                    } else {
                        assert_eq!(world.arrived(&request), neighbour(there));
                        assert_eq!(world.arrived(&answer), back);
                    }
                }
            }
        }
    }

    fn the_stack_sees_the_client_with_the_port_that_stands_for_it<A: Host>(transport: Transport) {
        let (client, inside, node) = ((A::outside(), 4000), (A::outside(), NAT), (A::node(), NAT));
        for frontend in entrances::<A>() {
            for backend in [A::host(A::NODE, 3), A::host(A::PEER, 4), A::node()] {
                let world = World::new(backend, Delivery::Stack);
                let is_process = backend == A::node();
                let backend = (backend, 8080);
                let request = packet(client, frontend, transport);
                let there = Outcome::Stack(rewrite(&request, inside, backend, false));
                assert_eq!(world.arrived(&request), there);
                if !is_process {
                    let routed = packet(inside, backend, transport);
                    let leaves = Outcome::Stack(rewrite(&routed, node, backend, false));
                    assert_eq!(world.handed(&routed), leaves);
                    let answer = packet(backend, node, answered(transport));
                    let back = Outcome::Stack(rewrite(&answer, backend, inside, false));
                    if backend.0 == A::host(A::NODE, 3) {
                        assert_eq!(world.sent(&answer), back);
                    }
                    assert_eq!(world.arrived(&answer), back);
                }
                let routed = packet(backend, inside, answered(transport));
                let leaves = Outcome::Stack(rewrite(&routed, frontend, client, false));
                assert_eq!([world.handed(&routed), world.said(&routed)], [leaves; 2]);
            }
        }
    }

    fn a_process_of_the_node_is_a_backend_by_the_stack_in_either_mode<A: Host>(transport: Transport) {
        let (client, inside) = ((A::outside(), 4000), (A::outside(), NAT));
        let (frontend, backend) = ((A::node(), NODE_PORT), (A::node(), 8080));
        let world = World::new(backend.0, Delivery::Bypass);
        let request = packet(client, frontend, transport);
        assert_eq!(world.arrived(&request), Outcome::Stack(rewrite(&request, inside, backend, false)));
        let answer = packet(backend, inside, answered(transport));
        assert_eq!(world.said(&answer), Outcome::Stack(rewrite(&answer, frontend, client, false)));
    }

    fn the_local_policy_keeps_the_client_and_serves_it_here_or_not_at_all<A: Host>(transport: Transport) {
        let client = (A::outside(), 4000);
        for frontend in entrances::<A>() {
            let backend = (A::host(A::NODE, 3), 8080);
            let request = packet(client, frontend, transport);
            let answer = packet(backend, client, answered(transport));
            for delivery in [Delivery::Bypass, Delivery::Stack] {
                let world = World::new(backend.0, delivery);
                world.serve(backend.0, ServiceFlags::EXTERNAL_LOCAL);
                let routed = delivery == Delivery::Bypass;
                let (there, back) = (
                    rewrite(&request, client, backend, routed),
                    rewrite(&answer, frontend, client, routed),
                );
                if routed {
                    assert_eq!(world.arrived(&request), peer(13, there));
                    assert_eq!(world.sent(&answer), neighbour(back));
                } else {
                    assert_eq!(world.arrived(&request), Outcome::Stack(there));
                    assert_eq!(world.handed(&packet(client, backend, transport)), Outcome::Pass);
                    assert_eq!(world.sent(&answer), Outcome::Pass);
                    assert_eq!(world.handed(&answer), Outcome::Stack(back));
                }
            }
            let world = World::new(A::host(A::PEER, 4), Delivery::Bypass);
            world.serve(A::host(A::PEER, 4), ServiceFlags::EXTERNAL_LOCAL);
            assert_eq!(world.arrived(&request), Outcome::Drop(DropReason::NoLocalBackend));
        }
    }

    fn the_client_is_kept_on_request_where_its_backend_is_here<A: Host>(transport: Transport) {
        let (client, frontend) = ((A::outside(), 4000), (A::external(), 80));
        for (backend, kept) in [(A::host(A::NODE, 3), true), (A::host(A::PEER, 4), false)] {
            let world = World::new(backend, Delivery::Stack);
            world.serve(backend, ServiceFlags::KEEP_CLIENT);
            let request = packet(client, frontend, transport);
            let inside = if kept { client } else { (A::outside(), NAT) };
            let there = rewrite(&request, inside, (backend, 8080), false);
            assert_eq!(world.arrived(&request), Outcome::Stack(there));
        }
    }

    fn a_pod_reaches_node_ports_of_its_own_node_and_is_hidden<A: Host>(transport: Transport) {
        let (client, frontend) = ((A::client(), 4000), (A::node(), NODE_PORT));
        let (inside, node) = ((A::client(), NAT), (A::node(), NAT));
        for backend in [A::host(A::NODE, 3), A::client()] {
            let backend = (backend, 8080);
            let (request, answer) = (packet(client, frontend, transport), packet(backend, node, transport));
            let world = World::new(backend.0, Delivery::Bypass);
            let link = if backend.0 == A::client() { 12 } else { 13 };
            assert_eq!(world.sent(&request), peer(link, rewrite(&request, node, backend, true)));
            assert_eq!(world.sent(&answer), peer(12, rewrite(&answer, frontend, client, true)));

            let world = World::new(backend.0, Delivery::Stack);
            assert_eq!(world.sent(&request), Outcome::Stack(rewrite(&request, inside, backend, false)));
            let routed = packet(inside, backend, transport);
            assert_eq!(world.handed(&routed), Outcome::Stack(rewrite(&routed, node, backend, false)));
            assert_eq!(world.sent(&answer), Outcome::Stack(rewrite(&answer, backend, inside, false)));
            let routed = packet(backend, inside, transport);
            assert_eq!(world.handed(&routed), Outcome::Stack(rewrite(&routed, frontend, client, false)));
        }
    }

    fn pods_of_others_are_served_by_the_stack_as_pods_of_this_node<A: Host>(transport: Transport) {
        let (guest, vip) = ((A::guest(), 4000), (A::vip(), 80));
        let world = World::new(A::host(A::NODE, 3), Delivery::Bypass);
        let backend = (A::host(A::NODE, 3), 8080);
        let request = packet(guest, vip, transport);
        let there = Outcome::Stack(rewrite(&request, guest, backend, false));
        assert_eq!(world.comes(&request, Ingress::Netdev, BRIDGE, &[]), there);
        let answer = packet(backend, guest, answered(transport));
        assert_eq!(world.sent(&answer), Outcome::Pass);
        assert_eq!(world.handed(&answer), Outcome::Stack(rewrite(&answer, vip, guest, false)));

        let itself = (A::guest(), 8080);
        let world = World::new(itself.0, Delivery::Bypass);
        let there = Outcome::Stack(rewrite(&request, guest, itself, false));
        assert_eq!(world.comes(&request, Ingress::Netdev, BRIDGE, &[]), there);
        let stand_in = (A::HAIRPIN, 4000);
        let routed = packet(guest, itself, transport);
        assert_eq!(world.handed(&routed), Outcome::Stack(rewrite(&routed, stand_in, itself, false)));
        let answer = packet(itself, stand_in, transport);
        let back = Outcome::Stack(rewrite(&answer, itself, guest, false));
        assert_eq!(world.comes(&answer, Ingress::Netdev, BRIDGE, &[]), back);
    }

    fn what_one_port_of_a_bridge_sends_another_is_translated_and_noted_once<A: Host>(transport: Transport) {
        let (guest, vip, other) = ((A::guest(), 4000), (A::vip(), 80), (A::host(A::NODE, 8), 8080));
        let world = World::new(other.0, Delivery::Bypass);
        let request = packet(guest, vip, transport);
        let there = Outcome::Stack(rewrite(&request, guest, other, false));
        assert_eq!(world.comes(&request, Ingress::Netdev, BRIDGE, &[]), there);
        // At the bridge, and at its port.
        let routed = packet(guest, other, transport);
        assert_eq!([world.handed(&routed), world.handed(&routed)], [Outcome::Pass; 2]);
        // At a port alone; then as it were if the bridge had seen it before.
        let answer = packet(other, guest, if transport == SYN { FIN } else { UDP });
        assert_eq!(world.handed(&answer), Outcome::Stack(rewrite(&answer, vip, guest, false)));
        assert_eq!(world.handed(&packet(vip, guest, answer.transport)), Outcome::Pass);
        let entry = world.tables.flow(&request.key).unwrap();
        let ended = FlowFlags::when(transport == SYN, FlowFlags::PEER_FIN);
        assert!(entry.flags.has(FlowFlags::REPLIED.union(ended)), "{entry:?}");
    }

    fn a_masqueraded_or_hairpin_packet_is_translated_once_at_a_bridge_and_its_port<A: Host>(transport: Transport) {
        let (guest, node, backend) = ((A::guest(), 4000), (A::node(), NAT), (A::guest(), 8080));
        let world = World::new(backend.0, Delivery::Bypass);
        let masqueraded = (packet((guest.0, NAT), backend, transport), node);
        let hairpin = (packet(guest, backend, transport), (A::HAIRPIN, 4000));
        for (frontend, (routed, seen)) in
            [((A::node(), NODE_PORT), masqueraded), ((A::vip(), 80), hairpin)]
        {
            world.comes(&packet(guest, frontend, transport), Ingress::Netdev, BRIDGE, &[]);
            let there = Outcome::Stack(rewrite(&routed, seen, backend, false));
            assert_eq!(world.handed(&routed), there);
            assert_eq!(world.handed(&packet(seen, backend, transport)), Outcome::Pass);
        }
    }

    fn a_cluster_address_from_outside_the_pods_of_this_node_hides_its_sender<A: Host>(transport: Transport) {
        let backend = (A::host(A::NODE, 3), 8080);
        for client in [(A::outside(), 4000), (A::host(A::PEER, 4), 4000)] {
            let world = World::new(backend.0, Delivery::Bypass);
            let request = packet(client, (A::vip(), 80), transport);
            let there = rewrite(&request, (A::node(), NAT), backend, true);
            assert_eq!(world.arrived(&request), peer(13, there));
        }
    }

    fn a_client_elsewhere_that_is_its_own_backend_is_hidden<A: Host>(transport: Transport) {
        let (client, backend) = ((A::host(A::PEER, 4), 4000), (A::host(A::PEER, 4), 8080));
        let (vip, node, inside) = ((A::vip(), 80), (A::node(), NAT), (client.0, NAT));
        let (request, answer) = (packet(client, vip, transport), packet(backend, node, transport));
        for delivery in [Delivery::Bypass, Delivery::Stack] {
            let world = World::new(backend.0, delivery);
            let unknown = NodeFlags::PODS_UNKNOWN4.union(NodeFlags::PODS_UNKNOWN6);
            world.tables.node.lock().unwrap().as_mut().unwrap().flags = unknown;
            if delivery == Delivery::Bypass {
                assert_eq!(world.arrived(&request), neighbour(rewrite(&request, node, backend, true)));
                assert_eq!(world.arrived(&answer), neighbour(rewrite(&answer, vip, client, true)));
                continue;
            }
            let there = Outcome::Stack(rewrite(&request, inside, backend, false));
            assert_eq!(world.arrived(&request), there);
            let routed = packet(inside, backend, transport);
            assert_eq!(world.handed(&routed), Outcome::Stack(rewrite(&routed, node, backend, false)));
            let back = Outcome::Stack(rewrite(&answer, backend, inside, false));
            assert_eq!(world.arrived(&answer), back);
            let routed = packet(backend, inside, transport);
            assert_eq!(world.handed(&routed), Outcome::Stack(rewrite(&routed, vip, client, false)));
        }
    }

    fn entrances_that_nobody_serves_answer_port_unreachable<A: Host>(transport: Transport) {
        let world = World::new(A::host(A::NODE, 3), Delivery::Bypass);
        world.close();
        for frontend in entrances::<A>() {
            let request = packet((A::outside(), 4000), frontend, transport);
            assert_eq!(world.arrived(&request), Outcome::Answer(Answer::PortUnreachable));
        }
    }

    fn what_comes_by_a_device_that_is_not_known_takes_the_stack<A: Host>(transport: Transport) {
        let backend = (A::host(A::NODE, 3), 8080);
        let world = World::new(backend.0, Delivery::Bypass);
        let request = packet((A::outside(), 4000), (A::external(), 80), transport);
        let there = Outcome::Stack(rewrite(&request, (A::outside(), NAT), backend, false));
        assert_eq!(world.comes(&request, Ingress::Netdev, 99, &[]), there);
    }

    fn what_the_node_itself_must_not_begin_is_dropped<A: Host>(transport: Transport) {
        let world = World::new(A::host(A::PEER, 4), Delivery::Bypass);
        let request = packet((A::node(), 4000), (A::vip(), 80), transport);
        assert_eq!(world.said(&request), Outcome::Pass, "served elsewhere");
        world.hide();
        assert_eq!(world.said(&request), Outcome::Drop(DropReason::NoLocalBackend), "its own");
        assert_eq!(world.handed(&request), Outcome::Pass, "forwarded");
        if transport == SYN {
            let later = packet((A::node(), 4000), (A::vip(), 80), ACK);
            assert_eq!(world.said(&later), Outcome::Pass, "what is not new");
        }
    }
}

#[test]
fn fragments_from_outside_are_dropped_only_where_they_are_for_a_frontend() {
    let world = World::<[u8; 4]>::new(Host::host(1, 3), Delivery::Bypass);
    let fragment = |dst| packet((Host::outside(), 0), (dst, 0), Transport::LaterFragment);
    let dropped = Outcome::Drop(DropReason::FragmentToFrontend);
    assert_eq!(world.arrived(&fragment(Host::external())), dropped);
    assert_eq!(world.arrived(&fragment(Host::node())), Outcome::Pass);
    world.tables.add_service(Host::node(), 80, Proto::UDP, Service::default());
    assert_eq!(world.arrived(&fragment(Host::node())), Outcome::Pass, "a frontend of the node's");
}

/// A client outside reaches a backend by a frontend that keeps its address, closes, and connects to
/// it directly by the same port.
#[test]
fn a_closed_flow_from_outside_makes_way_for_a_direct_connection() {
    let (client, backend) = ((Host::outside(), 4000), ([10, 1, 0, 3], 8080));
    let world = World::<[u8; 4]>::new(backend.0, Delivery::Stack);
    world.serve(backend.0, ServiceFlags::EXTERNAL_LOCAL);
    for transport in [SYN, RST] {
        world.arrived(&packet(client, (Host::external(), 80), transport));
    }
    assert_eq!(world.arrived(&packet(client, backend, SYN)), Outcome::Pass);
    assert_eq!(world.handed(&packet(backend, client, ACK)), Outcome::Pass);
}

/// The maps read for a packet that has nothing to do with any Service; `node` is an array.
#[test]
fn a_packet_that_passes_costs_two_look_ups_and_one_that_leaves_costs_one() {
    let world = World::<[u8; 4]>::new(Host::host(1, 3), Delivery::Bypass);
    let read = || std::mem::take(&mut *world.tables.reads.lock().unwrap());
    let stray = packet((Host::outside(), 4000), (Host::host(1, 3), 22), ACK);
    world.arrived(&stray);
    assert_eq!(read(), ["flows", "node", "services", "node"]);
    world.handed(&stray);
    assert_eq!(read(), ["flows", "node", "node"]);
}

/// The maps read for what may begin a flow and has nothing to do with any Service; what follows has
/// to do with flows that are over. The element of `node` is an array's.
#[test]
fn a_plain_first_packet_costs_no_look_up_for_cluster_ips() {
    let world = World::<[u8; 4]>::new(Host::host(1, 3), Delivery::Bypass);
    let read = || std::mem::take(&mut *world.tables.reads.lock().unwrap());
    for (transport, first) in
        [(SYN, ["flows", "services", "node", "node"]), (UDP, ["node", "flows", "services", "node"])]
    {
        let stray = packet((Host::outside(), 4000), (Host::host(1, 3), 22), transport);
        world.arrived(&stray);
        assert_eq!(read()[..4], first, "{transport:?}");
        world.handed(&stray);
        assert_eq!(read(), ["flows", "node", "node", "node"], "{transport:?}");
    }
    let ping = packet((Host::outside(), 0), (Host::host(1, 3), 0), Transport::Other);
    world.arrived(&ping);
    world.handed(&ping);
    assert_eq!(read(), ["node", "node"]);
}

/// The maps read for a packet of an established flow from outside.
#[test]
fn an_established_flow_from_outside_costs_two_look_ups_each_way() {
    let world = World::<[u8; 4]>::new(Host::host(1, 3), Delivery::Bypass);
    let request = packet((Host::outside(), 4000), (Host::external(), 80), SYN);
    let answer = packet((Host::host(1, 3), 8080), (Host::node(), NAT), ACK);
    for _ in 0..2 {
        world.arrived(&request);
        world.sent(&answer);
    }
    let read = || std::mem::take(&mut *world.tables.reads.lock().unwrap());
    read();
    world.arrived(&Packet { transport: ACK, ..request });
    assert_eq!(read(), ["flows", "backends", "pods"]);
    world.sent(&answer);
    assert_eq!(read(), ["flows", "links"]);
}
