//! Walks of flows to ports of the node that lead to pods; each row in both families.

use super::super::outcome::Outcome;
use super::super::world::{
    ACK, BRIDGE, Host, NODE_PORT, SYN, UDP, World, neighbour, packet, peer, pod, rewrite, walks,
};
use super::super::{FlowTable as _, Ingress, fake::orphans};
use crate::abi::{
    Addr, Address as _, Delivery, FrontendKey, FrontendKind, HostPort, Network, NetworkKind, Port,
    Proto,
};
use crate::packet::{TcpFlags, Transport};

/// The port of the node, and the pod's behind it.
const PORT: u16 = 8053;
const INSIDE: u16 = 53;
/// The link of the pod behind it.
const LINK: u32 = 13;

/// A pod of this node, its address and the port inside.
fn target<A: Host>(number: u8) -> (A, u16) {
    (A::host(A::NODE, number), INSIDE)
}

impl<A: Host> World<A> {
    /// A world with a port of the node that leads to the pod with the number 3.
    fn mapped(delivery: Delivery) -> Self {
        let world = Self::new(A::host(A::PEER, 4), delivery);
        world.map(FrontendKind::AnyNode, A::ANY, PORT, 3);
        world
    }

    fn map(&self, kind: FrontendKind, at: A, port: u16, number: u8) {
        let (addr, inside) = target::<A>(number);
        let ifindex = u32::from(number).wrapping_add(10);
        let (addr, port_inside) = (addr.widen(), Port::new(inside));
        let value = HostPort { addr, port: port_inside, reserved: [0; 2], ifindex };
        for proto in [Proto::TCP, Proto::UDP, Proto::SCTP] {
            let key =
                FrontendKey { addr: at.widen(), port: Port::new(port), proto, kind: kind.number() };
            self.tables.host_ports.lock().unwrap().insert(key, value);
        }
    }

    fn own(&self, addr: A) {
        let network = Network { kind: NetworkKind::OwnNode.number(), ..Network::default() };
        self.tables.networks.lock().unwrap().insert(addr.widen(), network);
    }
}

fn answered(transport: Transport) -> Transport {
    if transport == SYN { ACK } else { UDP }
}

walks! {
    fn a_client_outside_keeps_its_address_and_sees_the_node<A: Host>(transport: Transport) {
        let (client, frontend, pod) = ((A::outside(), 4000), (A::node(), PORT), target::<A>(3));
        for delivery in [Delivery::Bypass, Delivery::Stack] {
            let world = World::mapped(delivery);
            let request = packet(client, frontend, transport);
            let answer = packet(pod, client, answered(transport));
            let routed = delivery == Delivery::Bypass;
            let there = rewrite(&request, client, pod, routed);
            let back = rewrite(&answer, frontend, client, routed);
            for _ in 0..2 {
                if routed {
                    assert_eq!(world.arrived(&request), peer(LINK, there));
                    assert_eq!(world.sent(&answer), neighbour(back));
                } else {
                    assert_eq!(world.arrived(&request), Outcome::Stack(there));
                    assert_eq!(world.sent(&answer), Outcome::Pass);
                    assert_eq!(world.handed(&answer), Outcome::Stack(back));
                }
            }
            assert_eq!((orphans(&world.tables), world.tables.size()), (vec![], 2));
        }
    }

    fn pods_of_both_nodes_reach_it_and_itself_does_by_a_stand_in<A: Host>(transport: Transport) {
        let (frontend, pod) = ((A::node(), PORT), target::<A>(3));
        let world = World::mapped(Delivery::Bypass);
        let neighbours = packet((A::client(), 4000), frontend, transport);
        let there = rewrite(&neighbours, (A::client(), 4000), pod, true);
        assert_eq!(world.sent(&neighbours), peer(LINK, there));
        let remote = packet((A::host(A::PEER, 4), 4000), frontend, transport);
        let there = rewrite(&remote, (A::host(A::PEER, 4), 4000), pod, true);
        assert_eq!(world.arrived(&remote), peer(LINK, there));
        let own = packet((pod.0, 4000), frontend, transport);
        let there = rewrite(&own, (A::HAIRPIN, 4000), pod, true);
        assert_eq!(world.comes(&own, Ingress::Pod, LINK, &[]), peer(LINK, there));
        let answer = packet(pod, (A::HAIRPIN, 4000), answered(transport));
        let back = rewrite(&answer, frontend, (pod.0, 4000), true);
        assert_eq!(world.comes(&answer, Ingress::Pod, LINK, &[]), peer(LINK, back));
        let guest = packet((A::guest(), 4000), frontend, transport);
        let there = rewrite(&guest, (A::guest(), 4000), pod, false);
        assert_eq!(world.comes(&guest, Ingress::Netdev, BRIDGE, &[]), Outcome::Stack(there));
    }

    fn the_very_address_goes_before_any_and_both_before_a_node_port<A: Host>(transport: Transport) {
        let (later, other) = (A::host(77, 2), A::host(77, 3));
        let world = World::mapped(Delivery::Bypass);
        world.map(FrontendKind::Exact, later, PORT, 2);
        world.map(FrontendKind::AnyNode, A::ANY, NODE_PORT, 2);
        world.own(later);
        let to = |sport, dst, number: u8| {
            let client = (A::outside(), sport);
            let request = packet(client, dst, transport);
            let there = rewrite(&request, client, target::<A>(number), true);
            assert_eq!(world.arrived(&request), peer(u32::from(number) + 10, there), "{dst:?}");
        };
        to(4001, (later, PORT), 2);
        to(4002, (A::node(), PORT), 3);
        to(4003, (A::node(), NODE_PORT), 2);
        for dst in [(other, PORT), (A::node(), PORT + 1), (A::LOOPBACK, PORT)] {
            let request = packet((A::outside(), 4000), dst, transport);
            assert_eq!(world.arrived(&request), Outcome::Pass, "{dst:?}");
        }
        world.own(other);
        to(4004, (other, PORT), 3);
    }

    fn a_pod_that_is_gone_leaves_its_port_to_nobody_and_then_to_the_next<A: Host>(transport: Transport) {
        let (client, frontend) = ((A::outside(), 4000), (A::node(), PORT));
        let world = World::mapped(Delivery::Bypass);
        let request = packet(client, frontend, transport);
        let first = rewrite(&request, client, target(3), true);
        assert_eq!(world.arrived(&request), peer(LINK, first));
        world.tables.pods.lock().unwrap().remove(&target::<A>(3).0);
        assert_eq!(world.arrived(&request), Outcome::Pass, "gone");
        world.tables.add_pod(target::<A>(3).0, pod(LINK + 1));
        assert_eq!(world.arrived(&request), Outcome::Pass, "another pod has its address");
        world.map(FrontendKind::AnyNode, A::ANY, PORT, 2);
        let next = rewrite(&request, client, target(2), true);
        assert_eq!(world.arrived(&request), peer(12, next), "taken over");
        assert_eq!((orphans(&world.tables), world.tables.size()), (vec![], 2));
    }
}

/// The maps read for a packet of an established flow from outside, and for a stranger's.
#[test]
fn an_established_connection_costs_what_that_to_a_service_does() {
    let world = World::<[u8; 4]>::mapped(Delivery::Bypass);
    let read = || std::mem::take(&mut *world.tables.reads.lock().unwrap());
    let request = packet((Host::outside(), 4000), (Host::node(), PORT), SYN);
    world.arrived(&request);
    world.arrived(&packet((Host::outside(), 4000), (Host::node(), PORT), ACK));
    read();
    world.arrived(&packet((Host::outside(), 4000), (Host::node(), PORT), ACK));
    assert_eq!(read(), ["flows", "pods"]);
    world.arrived(&packet((Host::outside(), 4001), (Host::node(), PORT), ACK));
    assert_eq!(read(), ["flows", "node", "services", "node"]);
    world.arrived(&packet((Host::outside(), 4001), (Host::node(), PORT + 1), SYN));
    assert_eq!(read()[..3], ["flows", "services", "node"]);
}

/// Where the port inside is the same: nobody can translate SCTP's.
#[test]
fn an_association_reaches_its_pod_by_the_same_port() {
    let world = World::<[u8; 4]>::new(Host::host(2, 4), Delivery::Bypass);
    world.map(FrontendKind::AnyNode, <[u8; 4]>::ANY, INSIDE, 3);
    let (client, frontend) = ((Host::outside(), 4000), (Host::node(), INSIDE));
    let request = packet(client, frontend, Transport::Sctp(TcpFlags::SYN));
    let there = rewrite(&request, client, target(3), true);
    assert_eq!(world.arrived(&request), peer(LINK, there));
}

/// The stack answers it: whoever has lost their flow is told so by the node itself.
#[test]
fn what_is_in_the_middle_of_a_connection_begins_no_flow() {
    let world = World::<[u8; 16]>::mapped(Delivery::Bypass);
    let segment = packet((Host::outside(), 4000), (Host::node(), PORT), ACK);
    assert_eq!((world.arrived(&segment), world.tables.size()), (Outcome::Pass, 0));
    assert_eq!(world.tables.flow(&segment.key), None);
}

#[test]
fn any_address_is_one_of_the_same_family() {
    let mapped = [Addr::from(std::net::IpAddr::from([0, 0, 0, 0])), Addr([0; 16])];
    assert_eq!([<[u8; 4]>::ANY.widen(), <[u8; 16]>::ANY.widen()], mapped);
}
