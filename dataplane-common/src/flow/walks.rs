//! Packets of whole walks, hook by hook, on tables of collections; each row in both families.

use super::fake::{Fake, FixedEnv, backend_slot, orphans};
use super::{Answer, Arrival, Rewrite, Route, Verdict, Work, from_netdev, from_pod, to_pod};
use crate::abi::{
    Address, BackendId, BackendState, Delivery, DropReason, FlowKey, Link, Pod, PodFlags, Port,
    Proto, Service, ServiceId,
};
use crate::packet::{IpAddress, Packet, TcpFlags, Transport};

const UPLINK: u32 = 2;
const SYN: Transport = Transport::Tcp(TcpFlags::SYN);
const ACK: Transport = Transport::Tcp(TcpFlags::ACK);
const FIN: Transport = Transport::Tcp(TcpFlags(TcpFlags::FIN.0 | TcpFlags::ACK.0));
const RST: Transport = Transport::Tcp(TcpFlags::RST);
const UDP: Transport = Transport::Udp { checksum: true };

/// Hosts of the world, in a family.
trait Host: IpAddress {
    fn host(net: u8, number: u8) -> Self;
    /// Two pods of this node.
    const NODE: u8 = 1;
    /// Pods of another node.
    const PEER: u8 = 2;
    /// Virtual addresses.
    const VIRTUAL: u8 = 96;

    fn client() -> Self {
        Self::host(Self::NODE, 2)
    }
    fn vip() -> Self {
        Self::host(Self::VIRTUAL, 10)
    }
}

impl Host for [u8; 4] {
    fn host(net: u8, number: u8) -> Self {
        [10, net, 0, number]
    }
}

impl Host for [u8; 16] {
    fn host(net: u8, number: u8) -> Self {
        [0xfd, net, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, number]
    }
}

fn pod(ifindex: u32) -> Pod {
    Pod {
        ifindex,
        mtu: 1400,
        pod_mac: [2, 0, 0, 0, 0, 9],
        host_mac: [2, 0, 0, 0, 0, 8],
        flags: PodFlags::default(),
    }
}

/// Two pods here, one there, and a Service of both protocols with one backend.
struct World<A> {
    tables: Fake<A>,
    arrival: Arrival,
    now: u32,
}

impl<A: Host> World<A> {
    fn new(backend: A, delivery: Delivery) -> Self {
        let tables = Fake::default();
        tables.add_pod(A::host(A::NODE, 2), pod(12));
        tables.add_pod(A::host(A::NODE, 3), pod(13));
        tables.links.lock().unwrap().insert(UPLINK, Link { mtu: 1300 });
        let via = Route::Via { ifindex: UPLINK, next_hop: A::host(A::PEER, 1) };
        tables.routes.lock().unwrap().insert(A::host(A::PEER, 4), via);
        let service = Service { id: ServiceId(1), cluster_count: 1, ..Service::default() };
        for proto in [Proto::TCP, Proto::UDP] {
            tables.add_service(A::vip(), 80, proto, service);
        }
        tables.add_slot(0, backend_slot(backend, 8080, 5));
        Self { tables, arrival: Arrival { segment: 100, delivery }, now: 1000 }
    }

    fn env(&self) -> FixedEnv {
        FixedEnv { now: self.now, random: 0 }
    }

    fn sent(&self, packet: &Packet<A>) -> Verdict<A> {
        from_pod(packet, &&[][..], &self.arrival, &self.tables, &self.env(), &mut Work::default())
    }

    fn arrived(&self, packet: &Packet<A>) -> Verdict<A> {
        from_netdev(packet, &self.arrival, &self.tables, &self.env(), &mut Work::default())
    }

    fn handed(&self, packet: &Packet<A>) -> Verdict<A> {
        to_pod(packet, &&[][..], &self.tables, &self.env(), &mut Work::default())
    }
}

fn packet<A: Host>(
    (src, sport): (A, u16),
    (dst, dport): (A, u16),
    transport: Transport,
) -> Packet<A> {
    let proto = if matches!(transport, Transport::Udp { .. }) { Proto::UDP } else { Proto::TCP };
    let (sport, dport) = (Port::new(sport), Port::new(dport));
    let key = FlowKey { src, dst, sport, dport, proto, reserved: [0; 3] };
    Packet { key, l3: 14, l4: 34, length: 100, ttl: 64, may_fragment: false, transport }
}

/// The rewrite of `packet` into one between two sockets.
fn rewrite<A: Host>(packet: &Packet<A>, src: (A, u16), dst: (A, u16), routed: bool) -> Rewrite<A> {
    let to = super::walks::packet(src, dst, packet.transport).key;
    Rewrite { from: packet.key, to, routed }
}

fn peer<A: Host>(ifindex: u32, rewrite: Rewrite<A>) -> Verdict<A> {
    let Pod { pod_mac, host_mac, .. } = pod(ifindex);
    Verdict::Peer { rewrite, ifindex, pod_mac, host_mac }
}

/// Runs a walk in both families with both protocols.
macro_rules! walks {
    ($($(#[$attribute:meta])* fn $name:ident<A: Host>($transport:ident: Transport) $body:block)+) => {
        $(
            $(#[$attribute])*
            #[test]
            fn $name() {
                fn walk<A: Host>($transport: Transport) $body
                for transport in [SYN, UDP] {
                    walk::<[u8; 4]>(transport);
                    walk::<[u8; 16]>(transport);
                }
            }
        )+
    };
}

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
        assert_eq!(world.sent(&request), Verdict::Neighbour { rewrite: there, ifindex: UPLINK, next_hop });
        assert_eq!(world.arrived(&answer), peer(12, rewrite(&answer, vip, client, true)));
    }

    fn the_stack_sees_client_and_backend_in_both_directions<A: Host>(transport: Transport) {
        for (net, number) in [(A::NODE, 3), (A::PEER, 4)] {
            let (client, vip, backend) = ((A::client(), 4000), (A::vip(), 80), (A::host(net, number), 8080));
            let world = World::new(backend.0, Delivery::Stack);
            let request = packet(client, vip, transport);
            assert_eq!(world.sent(&request), Verdict::Stack(rewrite(&request, client, backend, false)));
            assert_eq!(world.handed(&packet(client, backend, transport)), Verdict::Pass);
            let answer = packet(backend, client, transport);
            assert_eq!(world.sent(&answer), Verdict::Pass);
            assert_eq!(world.arrived(&answer), Verdict::Pass);
            assert_eq!(world.handed(&answer), Verdict::Stack(rewrite(&answer, vip, client, false)));
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
        assert_eq!(world.sent(&request), Verdict::Stack(rewrite(&request, client, backend, false)));
        let routed = packet(client, backend, transport);
        assert_eq!(world.handed(&routed), Verdict::Stack(rewrite(&routed, stand_in, backend, false)));
        let answer = packet(backend, stand_in, transport);
        assert_eq!(world.sent(&answer), Verdict::Stack(rewrite(&answer, backend, client, false)));
        let routed = packet(backend, client, transport);
        assert_eq!(world.handed(&routed), Verdict::Stack(rewrite(&routed, vip, client, false)));
    }

    fn a_backend_that_is_the_node_is_reached_by_the_stack_and_answers_by_it<A: Host>(transport: Transport) {
        let (client, vip, backend) = ((A::client(), 4000), (A::vip(), 80), (A::host(77, 1), 8080));
        let world = World::new(backend.0, Delivery::Bypass);
        let request = packet(client, vip, transport);
        assert_eq!(world.sent(&request), Verdict::Stack(rewrite(&request, client, backend, false)));
        let answer = packet(backend, client, transport);
        assert_eq!(world.handed(&answer), Verdict::Stack(rewrite(&answer, vip, client, false)));
    }

    fn what_only_the_stack_can_do_is_left_to_it<A: Host>(transport: Transport) {
        let (client, vip, backend) = ((A::client(), 4000), (A::vip(), 80), (A::host(A::NODE, 3), 8080));
        let request = packet(client, vip, transport);
        let stack = Verdict::Stack(rewrite(&request, client, backend, false));
        let world = World::new(backend.0, Delivery::Bypass);
        assert_eq!(world.sent(&Packet { ttl: 1, ..request }), stack, "TTL 1");
        world.tables.add_pod(backend.0, Pod { flags: PodFlags::NO_PEER, ..pod(13) });
        assert_eq!(world.sent(&request), stack, "bandwidth limit at the egress");
        let mut world = World::new(backend.0, Delivery::Bypass);
        world.arrival.segment = 1401;
        assert_eq!(world.sent(&Packet { may_fragment: true, ..request }), stack, "fragmentation");
    }

    fn what_does_not_fit_is_answered_with_the_mtu_of_the_way<A: Host>(transport: Transport) {
        for (net, number, mtu) in [(A::NODE, 3, 1400), (A::PEER, 4, 1300)] {
            let mut world = World::new(A::host(net, number), Delivery::Bypass);
            let request = packet((A::client(), 4000), (A::vip(), 80), transport);
            world.arrival.segment = mtu + 1;
            assert_eq!(world.sent(&request), Verdict::Answer(Answer::TooBig { mtu }));
            world.arrival.segment = mtu;
            assert_ne!(world.sent(&request), Verdict::Answer(Answer::TooBig { mtu }));
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
            assert_eq!(verdicts, [Verdict::Pass; 3]);
        }
        assert_eq!(world.tables.size(), 0);
    }

    fn a_frontend_nobody_serves_answers_port_unreachable<A: Host>(transport: Transport) {
        let world = World::new(A::host(A::NODE, 3), Delivery::Bypass);
        let proto = packet((A::client(), 1), (A::vip(), 1), transport).key.proto;
        world.tables.add_service(A::vip(), 82, proto, Service::default());
        let request = packet((A::client(), 4000), (A::vip(), 82), transport);
        assert_eq!(world.sent(&request), Verdict::Answer(Answer::PortUnreachable));
    }
}

/// The maps read for a packet: `slots` and `backends` are arrays, the others hashes.
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
            begun.into_iter().filter(|map| ["services", "slots"].contains(map)).collect();
        assert_eq!(choice, ["services", "slots"]);
        assert_eq!(reads(), known);
    }
}

#[test]
fn fragments_without_ports_are_dropped_only_where_they_are_for_a_frontend() {
    let world = World::<[u8; 4]>::new(Host::host(1, 3), Delivery::Bypass);
    let fragment = |dst| packet((Host::client(), 0), (dst, 0), Transport::LaterFragment);
    let dropped = Verdict::Drop(DropReason::FragmentToFrontend);
    assert_eq!(world.sent(&fragment(Host::vip())), dropped);
    assert_eq!(world.sent(&fragment(Host::host(1, 3))), Verdict::Pass);
}

#[test]
fn what_is_for_the_stand_in_and_of_no_flow_goes_nowhere() {
    let world = World::<[u8; 4]>::new(Host::host(1, 3), Delivery::Stack);
    let stray = |transport| packet((Host::client(), 80), (Address::HAIRPIN, 4000), transport);
    let dropped = Verdict::Drop(DropReason::HairpinWithoutFlow);
    assert_eq!([SYN, UDP].map(|transport| world.sent(&stray(transport))), [dropped; 2]);
    let fragment = stray(Transport::LaterFragment);
    assert_eq!(world.sent(&fragment), Verdict::Drop(DropReason::FragmentToFrontend));
}

/// A client reaches a backend by a frontend, closes, and connects to it directly by the same port.
#[test]
fn a_closed_flow_makes_way_for_a_direct_connection_and_an_open_one_does_not() {
    let (client, vip, backend) =
        (([10, 1, 0, 2], 4000), ([10, 96, 0, 10], 80), ([10, 1, 0, 3], 8080));
    for (name, last, passes) in [("open", ACK, false), ("closed", RST, true)] {
        let world = World::<[u8; 4]>::new(backend.0, Delivery::Bypass);
        world.sent(&packet(client, vip, SYN));
        world.sent(&packet(client, vip, last));
        assert_eq!(world.sent(&packet(client, backend, SYN)), Verdict::Pass);
        let answer = world.sent(&packet(backend, client, ACK));
        assert_eq!(answer == Verdict::Pass, passes, "{name}: {answer:?}");
        assert_eq!(orphans(&world.tables), [], "{name}");
    }
}

/// The LRU takes a forward entry, and its flow goes on with another backend.
#[test]
fn a_reverse_entry_that_outlived_its_flow_ends_alone() {
    let mut world = World::<[u8; 4]>::new([10, 1, 0, 3], Delivery::Bypass);
    let request = packet(([10, 1, 0, 2], 4000), ([10, 96, 0, 10], 80), UDP);
    world.sent(&request);
    world.tables.flows.lock().unwrap().remove(&request.key);
    world.tables.add_slot(0, backend_slot([10, 1, 0, 4], 8080, 6));
    world.now += 100;
    world.sent(&request);
    assert_eq!(world.tables.size(), 3);
    world.now += 25;
    assert_eq!(
        world.sent(&packet(([10, 1, 0, 3], 8080), ([10, 1, 0, 2], 4000), UDP)),
        Verdict::Pass
    );
    assert_eq!((world.tables.size(), orphans(&world.tables)), (2, vec![]));
}

#[test]
fn tcp_that_nobody_knows_begins_a_flow_unless_it_resets() {
    let world = World::<[u8; 4]>::new(Host::host(1, 3), Delivery::Stack);
    let segment = |port, transport| packet((Host::client(), port), (Host::vip(), 80), transport);
    assert_eq!(world.sent(&segment(1, RST)), Verdict::Drop(DropReason::ResetWithoutFlow));
    assert!(matches!(world.sent(&segment(2, ACK)), Verdict::Stack(_)));
}

/// What a flow's next packet does after its backend (5) came to a state and another (6) took over.
#[test]
fn a_backends_state_moves_flows_as_their_protocol_allows() {
    use BackendState::{Active, Dead, Terminating};
    for (name, begun, state, next, expected) in [
        ("UDP, alive", UDP, Active, UDP, 3),
        ("UDP, terminating", UDP, Terminating, UDP, 3),
        ("UDP, dead", UDP, Dead, UDP, 4),
        ("TCP, alive", SYN, Active, ACK, 3),
        ("TCP, SYN again", SYN, Active, SYN, 3),
        ("TCP, terminating", SYN, Terminating, ACK, 3),
        ("TCP, SYN to terminating", SYN, Terminating, SYN, 4),
        ("TCP, dead", SYN, Dead, ACK, 3),
        ("TCP, SYN to dead", SYN, Dead, SYN, 4),
        ("TCP, SYN after RST", RST, Active, SYN, 4),
    ] {
        let world = World::<[u8; 4]>::new([10, 1, 0, 3], Delivery::Stack);
        let send = |transport| packet(([10, 1, 0, 2], 4000), ([10, 96, 0, 10], 80), transport);
        world.sent(&send(if begun == RST { SYN } else { begun }));
        world.sent(&send(begun));
        world.tables.add_slot(0, backend_slot([10, 1, 0, 4], 8080, 6));
        world.tables.set_backend(BackendId(5), state);
        let request = send(next);
        let to = ([10, 1, 0, expected], 8080);
        let expected = Verdict::Stack(rewrite(&request, ([10, 1, 0, 2], 4000), to, false));
        assert_eq!(world.sent(&request), expected, "{name}");
        assert_eq!(orphans(&world.tables), [], "{name}");
    }
}

/// Seconds of silence after which a flow is forgotten.
#[test]
fn a_flow_ends_when_it_has_been_silent_for_its_timeout() {
    let answered = |last| vec![(true, last), (false, last)];
    for (name, packets, timeout) in [
        ("UDP without answer", vec![(true, UDP)], 30),
        ("UDP", answered(UDP), 120),
        ("TCP without answer", vec![(true, SYN)], 60),
        ("TCP", [answered(SYN), answered(ACK)].concat(), 6 * 3600),
        ("TCP, FIN of the client", [answered(SYN), vec![(true, FIN)]].concat(), 120),
        ("TCP, FIN of the backend", [answered(SYN), vec![(false, FIN)]].concat(), 120),
        ("TCP, RST of the backend", [answered(SYN), vec![(false, RST)]].concat(), 10),
    ] {
        let mut world = World::<[u8; 4]>::new([10, 1, 0, 3], Delivery::Bypass);
        let (client, vip, backend) =
            (([10, 1, 0, 2], 4000), ([10, 96, 0, 10], 80), ([10, 1, 0, 3], 8080));
        for (from_client, transport) in packets {
            let (src, dst) = if from_client { (client, vip) } else { (backend, client) };
            world.sent(&packet(src, dst, transport));
        }
        let begun = world.tables.flows.lock().unwrap().clone();
        let answer = packet(backend, client, if name.contains("UDP") { UDP } else { ACK });
        world.now += timeout;
        assert_ne!(world.sent(&answer), Verdict::Pass, "{name}: alive at {timeout} s");
        *world.tables.flows.lock().unwrap() = begun;
        world.now += 1;
        assert_eq!(world.sent(&answer), Verdict::Pass, "{name}: over after {timeout} s");
    }
}

#[test]
fn a_flow_with_packets_one_way_keeps_both_entries_and_mends_a_lost_one() {
    let mut world = World::<[u8; 4]>::new([10, 1, 0, 3], Delivery::Bypass);
    let request = packet(([10, 1, 0, 2], 4000), ([10, 96, 0, 10], 80), UDP);
    let answer = packet(([10, 1, 0, 3], 8080), ([10, 1, 0, 2], 4000), UDP);
    let Verdict::Peer { .. } = world.sent(&request) else { panic!("no flow") };
    for _ in 0..5 {
        world.now += 20;
        world.sent(&request);
    }
    assert!(matches!(world.sent(&answer), Verdict::Peer { .. }), "the silent half lived on");
    for lost in [request.key, answer.key] {
        world.tables.flows.lock().unwrap().remove(&lost);
        world.now += 1;
        world.sent(if lost == request.key { &answer } else { &request });
        assert_eq!((world.tables.size(), orphans(&world.tables)), (2, vec![]));
    }
}
