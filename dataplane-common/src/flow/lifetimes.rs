//! How long flows last, what ends them, and what outlives them.

use super::fake::{backend_slot, orphans};
use super::outcome::Outcome;
use super::world::{ACK, FIN, RST, SYN, UDP, World, packet, rewrite};
use crate::abi::{BackendId, BackendState, Delivery, Phase};

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
        Outcome::Pass
    );
    assert_eq!((world.tables.size(), orphans(&world.tables)), (2, vec![]));
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
        let expected = Outcome::Stack(rewrite(&request, ([10, 1, 0, 2], 4000), to, false));
        assert_eq!(world.sent(&request), expected, "{name}");
        assert_eq!(orphans(&world.tables), [], "{name}");
    }
}

/// Seconds of silence after which a flow is forgotten.
#[test]
fn a_flow_ends_when_it_has_been_silent_for_its_timeout() {
    let answered = |last| vec![(true, last), (false, last)];
    let closing = |last: &[_]| [answered(SYN), last.to_vec()].concat();
    for (name, packets, timeout) in [
        ("UDP without answer", vec![(true, UDP)], 30),
        ("UDP", answered(UDP), 120),
        ("TCP without answer", vec![(true, SYN)], 120),
        ("TCP", [answered(SYN), answered(ACK)].concat(), 6 * 3600),
        ("TCP, FIN of the client", closing(&[(true, FIN)]), 120),
        ("TCP, FIN of the backend", closing(&[(false, FIN)]), 120),
        ("TCP, FIN of the client, more of it", closing(&[(true, FIN), (true, ACK)]), 120),
        ("TCP, FIN of the client, acknowledged", closing(&[(true, FIN), (false, ACK)]), 3600),
        ("TCP, FIN of the backend, acknowledged", closing(&[(false, FIN), (true, ACK)]), 3600),
        ("TCP, FIN of both", closing(&[(true, FIN), (false, FIN), (true, ACK)]), 120),
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
        assert_ne!(world.sent(&answer), Outcome::Pass, "{name}: alive at {timeout} s");
        *world.tables.flows.lock().unwrap() = begun;
        world.now += 1;
        assert_eq!(world.sent(&answer), Outcome::Pass, "{name}: over after {timeout} s");
    }
}

#[test]
fn a_flow_with_packets_one_way_keeps_both_entries_and_mends_a_lost_one() {
    let mut world = World::<[u8; 4]>::new([10, 1, 0, 3], Delivery::Bypass);
    let request = packet(([10, 1, 0, 2], 4000), ([10, 96, 0, 10], 80), UDP);
    let answer = packet(([10, 1, 0, 3], 8080), ([10, 1, 0, 2], 4000), UDP);
    let Outcome::Peer { .. } = world.sent(&request) else { panic!("no flow") };
    for _ in 0..5 {
        world.now += 20;
        world.sent(&request);
    }
    assert!(matches!(world.sent(&answer), Outcome::Peer { .. }), "the silent half lived on");
    for lost in [request.key, answer.key] {
        world.tables.flows.lock().unwrap().remove(&lost);
        world.now += 1;
        world.sent(if lost == request.key { &answer } else { &request });
        assert_eq!((world.tables.size(), orphans(&world.tables)), (2, vec![]));
    }
}

/// What the table of timeouts says counts; a busy flow asks it once a second.
#[test]
fn a_flow_lasts_as_long_as_is_said_for_its_phase() {
    for phase in Phase::ALL {
        for said in [0, 7] {
            let mut world = World::<[u8; 4]>::new([10, 1, 0, 3], Delivery::Bypass);
            world.tables.timeouts.lock().unwrap().insert(phase, said);
            let usual = said == 0 || phase != Phase::Udp;
            let request = packet(([10, 1, 0, 2], 4000), ([10, 96, 0, 10], 80), UDP);
            world.sent(&request);
            world.tables.reads.lock().unwrap().clear();
            world.sent(&request);
            assert!(!world.tables.reads.lock().unwrap().contains(&"timeouts"));
            world.now += 8;
            let answer = packet(([10, 1, 0, 3], 8080), ([10, 1, 0, 2], 4000), UDP);
            assert_eq!(world.sent(&answer) != Outcome::Pass, usual, "{phase:?}: {said}");
        }
    }
}
