//! Two packets of flows that begin at once, in every order their table accesses can take.

use std::sync::{Condvar, Mutex};

use super::create::create;
use super::fake::{Fake, FixedEnv, backend_slot, orphans};
use super::{Env as _, FlowTable, Inserted, Route, Tables, Work};
use crate::abi::{
    Backend, BackendId, Counter, Delivery, DropReason, FlowEntry, FlowKey, FrontendKey, Link, Pod,
    Port, Proto, Service, ServiceId, Slot,
};

type V4 = [u8; 4];
type Flow = FlowEntry<V4>;

const CLIENT: V4 = [10, 1, 1, 2];
const VIP: V4 = [10, 96, 0, 10];
const OTHER_VIP: V4 = [10, 96, 0, 11];
/// More than the accesses of two packets that both lose everything.
const STEPS: u32 = 24;

/// Lets two threads at a table one access at a time, in the order of a schedule's bits, the highest
/// first.
struct Turns {
    schedule: u32,
    state: Mutex<TurnState>,
    changed: Condvar,
}

#[derive(Default)]
struct TurnState {
    step: u32,
    done: [bool; 2],
    /// How many bits of the schedule mattered: later ones had one thread to choose from.
    chosen: u32,
}

impl Turns {
    fn access<R>(&self, who: usize, access: impl FnOnce() -> R) -> R {
        let mut state = self.state.lock().unwrap();
        while self.next(&state) != who {
            state = self.changed.wait(state).unwrap();
        }
        let result = access();
        state.step += 1;
        if state.done == [false; 2] {
            state.chosen = state.step;
        }
        self.changed.notify_all();
        result
    }

    fn next(&self, state: &TurnState) -> usize {
        let bit = STEPS.checked_sub(state.step + 1).expect("two packets take fewer steps");
        let wanted = usize::from(self.schedule >> bit & 1 == 1);
        if state.done[wanted] { 1 - wanted } else { wanted }
    }

    /// The next schedule that differs in a bit that mattered; none behind the last.
    fn following(&self) -> Option<u32> {
        let rest = STEPS - self.state.lock().unwrap().chosen;
        let next = ((self.schedule >> rest) + 1) << rest;
        (next < 1 << STEPS).then_some(next)
    }

    fn leave(&self, who: usize) {
        self.state.lock().unwrap().done[who] = true;
        self.changed.notify_all();
    }
}

/// One packet's view of the tables.
struct Racer<'a> {
    who: usize,
    turns: &'a Turns,
    tables: &'a Fake<V4>,
}

impl FlowTable<V4> for Racer<'_> {
    fn flow(&self, key: &FlowKey<V4>) -> Option<Flow> {
        self.turns.access(self.who, || self.tables.flow(key))
    }

    fn insert_flow(&self, key: &FlowKey<V4>, entry: &Flow) -> Inserted {
        self.turns.access(self.who, || self.tables.insert_flow(key, entry))
    }

    fn update_flow(&self, key: &FlowKey<V4>, entry: &Flow) {
        self.turns.access(self.who, || self.tables.update_flow(key, entry));
    }

    fn remove_flow(&self, key: &FlowKey<V4>) {
        self.turns.access(self.who, || self.tables.remove_flow(key));
    }
}

impl Tables<V4> for Racer<'_> {
    fn service(&self, key: &FrontendKey) -> Option<Service> {
        self.tables.service(key)
    }

    fn slot(&self, index: u32) -> Option<Slot> {
        self.tables.slot(index)
    }

    fn backend(&self, id: BackendId) -> Option<Backend> {
        self.tables.backend(id)
    }

    fn pod(&self, addr: V4) -> Option<Pod> {
        self.tables.pod(addr)
    }

    fn link(&self, ifindex: u32) -> Option<Link> {
        self.tables.link(ifindex)
    }

    fn route(&self, key: &FlowKey<V4>) -> Route<V4> {
        self.tables.route(key)
    }

    fn count(&self, counter: Counter) {
        self.tables.count(counter);
    }
}

/// What one packet does: its tuple, the backend it draws and its random source port.
#[derive(Clone, Copy)]
struct Packet {
    vip: V4,
    backend: u8,
    random: u32,
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

fn send(packet: Packet, tables: &impl Tables<V4>) -> Result<Flow, DropReason> {
    let env = FixedEnv { now: 100, random: packet.random };
    let slot = backend_slot([10, 1, 2, packet.backend], 5353, u32::from(packet.backend));
    // The look-up before creation is part of the race: it may find the other packet's flow.
    if let Some(entry) = tables.flow(&key(packet.vip)) {
        return Ok(entry);
    }
    assert_eq!(env.now(), 100);
    let service = Service { id: ServiceId(1), ..Service::default() };
    let mut work = Work { key: key(packet.vip), ..Work::default() };
    create(&service, &slot, Delivery::Bypass, tables, &env, &mut work)?;
    Ok(work.entry)
}

/// Runs both packets under one schedule.
fn race(turns: &Turns, tables: &Fake<V4>, packets: [Packet; 2]) -> [Result<Flow, DropReason>; 2] {
    let run = |who: usize| {
        let racer = Racer { who, turns, tables };
        let result = send(packets[who], &racer);
        turns.leave(who);
        result
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| run(1));
        [run(0), other.join().unwrap()]
    })
}

fn for_every_order(
    packets: [Packet; 2],
    prepare: fn(&Fake<V4>),
    check: fn(u32, &Fake<V4>, [Flow; 2]),
) {
    let mut schedule = Some(0);
    while let Some(bits) = schedule {
        let tables = Fake::default();
        prepare(&tables);
        let turns = Turns { schedule: bits, state: Mutex::default(), changed: Condvar::new() };
        let [first, second] = race(&turns, &tables, packets);
        check(bits, &tables, [first.unwrap(), second.unwrap()]);
        assert_eq!(orphans(&tables), [], "schedule {bits:#016b}");
        schedule = turns.following();
    }
}

fn one_flow(schedule: u32, tables: &Fake<V4>, [first, second]: [Flow; 2]) {
    assert_eq!(
        (first.dst, first.sport, tables.flows.lock().unwrap().len()),
        (second.dst, second.sport, 2),
        "schedule {schedule:#016b}"
    );
}

const A: Packet = Packet { vip: VIP, backend: 1, random: 0 };
const B: Packet = Packet { vip: VIP, backend: 2, random: 1 << 31 };

#[test]
fn packets_of_one_flow_that_draw_different_backends_agree_on_one() {
    for_every_order([A, B], |_| (), one_flow);
}

#[test]
fn packets_of_one_flow_that_draw_the_same_backend_share_it() {
    for_every_order([A, Packet { random: 1 << 31, ..A }], |_| (), one_flow);
}

#[test]
fn flows_to_two_frontends_with_one_backend_get_answers_that_differ() {
    for_every_order(
        [A, Packet { vip: OTHER_VIP, random: 1 << 31, ..A }],
        |_| (),
        |schedule, tables, [first, second]| {
            let flows = tables.flows.lock().unwrap().len();
            assert_eq!(flows, 4, "schedule {schedule:#016b}");
            assert_ne!(
                first.sibling(Proto::UDP),
                second.sibling(Proto::UDP),
                "schedule {schedule:#016b}"
            );
        },
    );
}

#[test]
fn a_reverse_entry_that_lost_its_forward_is_completed() {
    for_every_order(
        [A, A],
        |tables| {
            send(A, tables).unwrap();
            tables.remove_flow(&key(VIP));
        },
        one_flow,
    );
}

#[test]
fn an_expired_flow_gives_its_tuple_to_the_next() {
    for_every_order(
        [A, A],
        |tables| {
            send(Packet { vip: OTHER_VIP, ..A }, tables).unwrap();
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
    send(A, &tables).unwrap();
    send(Packet { vip: OTHER_VIP, ..A }, &tables).unwrap();
    assert_eq!(send(Packet { vip: [10, 96, 0, 12], ..A }, &tables), Err(DropReason::NoSourcePort));
    assert_eq!(orphans(&tables), []);
}
