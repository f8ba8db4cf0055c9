//! Two packets of flows that begin at once, in every order their table accesses can take.

use super::conntrack::find;
use super::create::{Client, create, draft};
use super::fake::{Fake, FixedEnv, backend_slot, orphans};
use super::turns::{Racer, STEPS, Turns, excess, following};
use super::{Choice, FlowTable, Tables, Work, world};
use crate::abi::{
    BackendId, BackendState, Delivery, DropReason, FlowEntry, FlowFlags, FlowKey, NetnsId, Node,
    NodeFlags, Port, Proto, Service, ServiceId,
};
use crate::packet::Packet;

type V4 = [u8; 4];
type Flow = FlowEntry<V4>;

const CLIENT: V4 = [10, 1, 1, 2];
const VIP: V4 = [10, 96, 0, 10];
const OTHER_VIP: V4 = [10, 96, 0, 11];
const NOW: u32 = 1000;
/// Who stands for masqueraded clients.
const NODE: Node = Node {
    masquerade4: [192, 0, 2, 1],
    first_port: 61_000,
    last_port: 61_999,
    first_known_port: 61_000,
    last_known_port: 61_999,
    netns_cookie: 0,
    masquerade6: [0; 16],
    first_node_port: 1,
    last_node_port: 0,
    flags: NodeFlags(0),
    first_service6: [0; 16],
    last_service6: [0; 16],
    first_service4: [0; 4],
    last_service4: [0; 4],
    first_pod6: [1; 16],
    last_pod6: [0; 16],
    first_pod4: [1; 4],
    last_pod4: [0; 4],
    tunnel4: [0; 4],
    tunnel6: [0; 16],
    tunnel_port: Port::new(0),
    reserved: [0; 6],
};
/// Every order there is.
const ALL: u32 = STEPS;
/// Where a flow also ends there are millions of orders; faults show within a few turns.
const TURNS: u32 = 5;

/// What one packet of the client does: its frontend, the backend it draws and its random number.
#[derive(Clone, Copy)]
struct Request {
    vip: V4,
    backend: u8,
    random: u32,
    masquerade: bool,
}

fn key(vip: V4) -> FlowKey<V4> {
    FlowKey {
        src: CLIENT,
        dst: vip,
        sport: Port::new(40_000),
        dport: Port::new(53),
        proto: Proto::UDP,
        reserved: [0; 3],
    }
}

fn packet(key: FlowKey<V4>) -> Packet<V4> {
    let FlowKey { src, dst, sport, dport, .. } = key;
    world::packet((src, sport.number()), (dst, dport.number()), world::UDP)
}

impl Request {
    /// Finds the flow or makes it: all that happens to a packet before it is delivered.
    fn send(self, tables: &impl Tables<V4>) -> Result<Flow, DropReason> {
        let env = FixedEnv { now: NOW, random: self.random };
        let slot = backend_slot([10, 1, 2, self.backend], 5353, u32::from(self.backend));
        let service = Service { id: ServiceId(1), affinity_seconds: 60, ..Service::default() };
        let choice = Choice { service, slot, masquerade: self.masquerade, ..Choice::default() };
        let mut work = Work { key: key(self.vip), choice, ..Work::default() };
        if !find(&packet(work.key), tables, &env, &mut work) {
            let netns = NetnsId::default();
            let client = Client { takes_bypass: true, is_pod: true, is_here: true, netns };
            draft(client, Delivery::Bypass, tables, &env, &mut work)?;
            create(tables, &mut work)?;
        }
        Ok(work.entry)
    }
}

/// What a backend's answer does to the table; its own fate is of no interest.
fn answer(backend: u8, tables: &impl Tables<V4>) -> Result<(), DropReason> {
    let env = FixedEnv { now: NOW, random: 0 };
    let to_backend = FlowKey { dport: Port::new(5353), ..key([10, 1, 2, backend]) };
    let from_backend = to_backend.turned();
    let mut work = Work { key: from_backend, ..Work::default() };
    find(&packet(from_backend), tables, &env, &mut work);
    Ok(())
}

/// Runs both under one schedule.
fn race<R: Send>(
    turns: &Turns,
    tables: &Fake<V4>,
    both: [&(dyn Fn(&Racer) -> R + Sync); 2],
) -> [R; 2] {
    let run = |who: usize| {
        let racer = Racer { who, turns, tables };
        let result = both[who](&racer);
        turns.leave(who);
        result
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| run(1));
        [run(0), other.join().unwrap()]
    })
}

/// Runs both in every order with at most so many turns, each on tables made by `prepare`, and looks
/// at what is left.
fn for_every_order<R: Send>(
    most_turns: u32,
    both: [&(dyn Fn(&Racer) -> R + Sync); 2],
    prepare: fn(&Fake<V4>),
    check: impl Fn(u32, &Fake<V4>, [R; 2]),
) {
    let mut schedule = Some(0);
    while let Some(bits) = schedule {
        let tables = Fake::default();
        for backend in 1..4 {
            tables.add_slot(backend, backend_slot([10, 1, 2, 9], 1, backend));
        }
        *tables.node.lock().unwrap() = Some(NODE);
        prepare(&tables);
        let turns = Turns::new(bits);
        let results = race(&turns, &tables, both);
        assert_eq!(orphans(&tables), [], "schedule {bits:#033b}");
        check(bits, &tables, results);
        assert_held(&tables);
        schedule = turns.following();
        while let Some(long) = schedule.and_then(|bits| excess(bits, most_turns)) {
            schedule = following(schedule.expect("it was too long"), long);
        }
    }
}

/// A client is held to a backend that a flow of its goes to.
fn assert_held(tables: &Fake<V4>) {
    let flows = tables.flows.lock().unwrap();
    for held in tables.affinities.lock().unwrap().values() {
        assert!(flows.values().any(|flow| flow.backend == held.slot.backend), "{held:?} {flows:?}");
    }
}

/// Two requests in every order; every one of them has a flow.
fn requests(
    most_turns: u32,
    both: [Request; 2],
    prepare: fn(&Fake<V4>),
    check: fn(u32, &Fake<V4>, [Flow; 2]),
) {
    let [first, second] = both;
    let both: [&(dyn Fn(&Racer) -> _ + Sync); 2] =
        [&move |racer| first.send(racer), &move |racer| second.send(racer)];
    for_every_order(most_turns, both, prepare, |schedule, tables, results| {
        check(schedule, tables, results.map(Result::unwrap));
    });
}

fn one_flow(schedule: u32, tables: &Fake<V4>, [first, second]: [Flow; 2]) {
    assert_eq!(
        (first.dst, first.sport, tables.flows.lock().unwrap().len()),
        (second.dst, second.sport, 2),
        "schedule {schedule:#033b}"
    );
}

const A: Request = Request { vip: VIP, backend: 1, random: 0, masquerade: false };
const B: Request = Request { backend: 2, random: 1 << 31, ..A };

#[test]
fn packets_of_one_flow_that_draw_different_backends_agree_on_one() {
    requests(ALL, [A, B], |_| (), one_flow);
}

#[test]
fn packets_of_one_flow_that_draw_the_same_backend_share_it() {
    requests(ALL, [A, Request { random: 1 << 31, ..A }], |_| (), one_flow);
}

#[test]
fn flows_to_two_frontends_with_one_backend_get_answers_that_differ() {
    requests(ALL, [A, Request { vip: OTHER_VIP, random: 1 << 31, ..A }], |_| (), two_flows);
}

/// Two frontends' packets of one client.
fn two_flows(schedule: u32, tables: &Fake<V4>, [first, second]: [Flow; 2]) {
    assert_eq!(tables.size(), 4, "schedule {schedule:#033b}");
    assert_ne!(first.sibling(Proto::UDP), second.sibling(Proto::UDP), "schedule {schedule:#033b}");
}

#[test]
fn packets_of_one_masqueraded_flow_agree_on_backend_and_port() {
    let first = Request { masquerade: true, ..A };
    for second in [Request { random: 1 << 31, ..first }, Request { masquerade: true, ..B }, first] {
        requests(ALL, [first, second], |_| (), one_flow);
    }
}

#[test]
fn two_masqueraded_flows_do_not_share_a_port_towards_one_backend() {
    let first = Request { masquerade: true, ..A };
    requests(ALL, [first, Request { vip: OTHER_VIP, ..first }], |_| (), two_flows);
}

#[test]
fn a_masqueraded_flow_that_is_over_gives_its_port_to_the_next() {
    let first = Request { masquerade: true, ..A };
    requests(
        TURNS,
        [first, first],
        |tables| {
            Request { vip: OTHER_VIP, masquerade: true, ..A }.send(tables).unwrap();
            for entry in tables.flows.lock().unwrap().values_mut() {
                entry.flags = entry.flags.union(FlowFlags::RST);
            }
        },
        one_flow,
    );
}

#[test]
fn a_reverse_entry_that_lost_its_forward_is_completed() {
    requests(
        ALL,
        [A, A],
        |tables| {
            A.send(tables).unwrap();
            tables.remove_flow(&key(VIP));
        },
        one_flow,
    );
}

/// After this the flow of a request is over, long since and by a backend that is another now, and the
/// LRU has taken its forward half.
fn with_a_stale_half(request: Request, tables: &Fake<V4>) {
    request.send(tables).unwrap();
    tables.remove_flow(&key(VIP));
    for entry in tables.flows.lock().unwrap().values_mut() {
        (entry.generation, entry.last_seen) = (0, 0);
        entry.flags = entry.flags.union(FlowFlags::REPLIED);
    }
}

/// One flow of which nothing is older than this test.
fn one_new_flow(schedule: u32, tables: &Fake<V4>, flows: [Flow; 2]) {
    one_flow(schedule, tables, flows);
    for entry in tables.flows.lock().unwrap().values() {
        let is_new = (entry.generation, entry.last_seen) == (1, NOW);
        assert!(is_new && !entry.flags.has(FlowFlags::REPLIED), "{schedule:#033b} {entry:?}");
    }
}

#[test]
fn a_stale_reverse_entry_of_the_same_flow_is_not_taken_over() {
    const HIDDEN: Request = Request { masquerade: true, ..A };
    let other = Request { random: 1 << 31, ..A };
    requests(TURNS, [A, A], |tables| with_a_stale_half(A, tables), one_new_flow);
    requests(TURNS, [A, other], |tables| with_a_stale_half(A, tables), one_new_flow);
    requests(TURNS, [HIDDEN, HIDDEN], |tables| with_a_stale_half(HIDDEN, tables), one_new_flow);
}

#[test]
fn an_expired_flow_gives_its_tuple_to_the_next() {
    requests(
        TURNS,
        [A, A],
        |tables| {
            Request { vip: OTHER_VIP, ..A }.send(tables).unwrap();
            for entry in tables.flows.lock().unwrap().values_mut() {
                entry.last_seen = 0;
            }
        },
        one_flow,
    );
}

#[test]
fn a_flow_whose_every_port_is_taken_is_refused() {
    let tables = Fake::default();
    for flow in 0..5 {
        Request { vip: [10, 96, 1, flow], ..A }.send(&tables).unwrap();
    }
    assert_eq!(A.send(&tables), Err(DropReason::NoSourcePort));
    assert_eq!(orphans(&tables), []);
}

/// After this the flow of [`A`] is there and its backend is not.
fn with_a_dead_backend(tables: &Fake<V4>) {
    A.send(tables).unwrap();
    tables.set_backend(BackendId(1), BackendState::Dead);
}

#[test]
fn a_flow_whose_backend_died_is_begun_anew_by_one_of_two_packets() {
    requests(
        TURNS,
        [B, Request { backend: 3, ..A }],
        with_a_dead_backend,
        |schedule, tables, flows| {
            let left = tables.flow(&key(VIP)).map(|entry| entry.dst);
            assert_eq!(tables.size(), 2, "schedule {schedule:#033b}");
            assert_ne!(left, Some([10, 1, 2, 1]), "schedule {schedule:#033b}");
            // Who comes between the two removals may send one more packet to the old backend.
            let strays = flows.iter().filter(|flow| Some(flow.dst) != left);
            assert!(
                strays.clone().all(|flow| flow.dst == [10, 1, 2, 1]),
                "{schedule:#033b} {flows:?}"
            );
        },
    );
}

#[test]
fn a_late_answer_of_a_dead_backend_does_not_bring_its_flow_back() {
    let both: [&(dyn Fn(&Racer) -> _ + Sync); 2] =
        [&|racer| B.send(racer).map(drop), &|racer| answer(1, racer)];
    for_every_order(TURNS, both, with_a_dead_backend, |schedule, tables, results| {
        assert_eq!(results, [Ok(()); 2], "schedule {schedule:#033b}");
        let left = tables.flow(&key(VIP)).map(|entry| entry.dst);
        assert_eq!(left, Some([10, 1, 2, 2]), "schedule {schedule:#033b}");
    });
}
