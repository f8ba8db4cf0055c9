//! Two packets at one table, one access at a time, in an order that a schedule says.

use std::sync::{Condvar, Mutex};

use super::fake::Fake;
use super::{FlowTable, Inserted, Route, ServiceTables, Tables};
use crate::abi::{
    Addr, Affinity, AffinityKey, Backend, BackendId, Counter, FlowEntry, FlowKey, FragmentKey,
    Fragmented, FrontendKey, HostPort, Link, NetnsId, Network, Node, Pod, Port, Service, Slot,
    SourceKey,
};

type V4 = [u8; 4];
type Flow = FlowEntry<V4>;

/// More than the accesses of two packets that both lose everything.
pub(super) const STEPS: u32 = 31;

/// Lets two threads at a table one access at a time, in the order of a schedule's bits, the highest
/// first.
pub(super) struct Turns {
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
    pub(super) fn new(schedule: u32) -> Self {
        Self { schedule, state: Mutex::default(), changed: Condvar::new() }
    }

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
    pub(super) fn following(&self) -> Option<u32> {
        following(self.schedule, self.state.lock().unwrap().chosen)
    }

    pub(super) fn leave(&self, who: usize) {
        self.state.lock().unwrap().done[who] = true;
        self.changed.notify_all();
    }
}

/// One packet's view of the tables.
pub(super) struct Racer<'a> {
    pub(super) who: usize,
    pub(super) turns: &'a Turns,
    pub(super) tables: &'a Fake<V4>,
}

impl FlowTable<V4> for Racer<'_> {
    fn flow(&self, key: &FlowKey<V4>) -> Option<Flow> {
        self.turns.access(self.who, || self.tables.flow(key))
    }

    fn insert_flow(&self, key: &FlowKey<V4>, entry: &Flow) -> Inserted {
        self.turns.access(self.who, || self.tables.insert_flow(key, entry))
    }

    fn update_flow(&self, key: &FlowKey<V4>, entry: &Flow) -> bool {
        self.turns.access(self.who, || self.tables.update_flow(key, entry))
    }

    fn remove_flow(&self, key: &FlowKey<V4>) {
        self.turns.access(self.who, || self.tables.remove_flow(key));
    }
}

impl ServiceTables for Racer<'_> {
    fn service(&self, key: &FrontendKey) -> Option<Service> {
        self.tables.service(key)
    }

    fn slot(&self, index: u32) -> Option<Slot> {
        self.tables.slot(index)
    }

    fn backend(&self, id: BackendId) -> Option<Backend> {
        self.tables.backend(id)
    }

    fn node(&self) -> Option<Node> {
        self.tables.node()
    }

    fn network(&self, addr: &Addr) -> Option<Network> {
        self.tables.network(addr)
    }

    fn host_port(&self, key: &FrontendKey) -> Option<HostPort> {
        self.tables.host_port(key)
    }

    fn may_be_host_port(&self, port: Port) -> bool {
        self.tables.may_be_host_port(port)
    }

    fn lets_in(&self, client: &SourceKey) -> bool {
        self.tables.lets_in(client)
    }

    fn affinity(&self, key: &AffinityKey) -> Option<Affinity> {
        self.tables.affinity(key)
    }

    fn hold_affinity(&self, key: &AffinityKey, affinity: &Affinity) -> bool {
        self.tables.hold_affinity(key, affinity)
    }

    fn fragment(&self, key: &FragmentKey) -> Option<Fragmented> {
        self.tables.fragment(key)
    }

    fn note_fragment(&self, key: &FragmentKey, first: &Fragmented) {
        self.tables.note_fragment(key, first);
    }

    fn timeout(&self, life: u32) -> u32 {
        self.tables.timeout(life)
    }

    fn count(&self, counter: Counter) {
        self.tables.count(counter);
    }
}

impl Tables<V4> for Racer<'_> {
    fn pod(&self, addr: V4) -> Option<Pod> {
        self.tables.pod(addr)
    }

    fn link(&self, ifindex: u32) -> Option<Link> {
        self.tables.link(ifindex)
    }

    fn route(&self, key: &FlowKey<V4>) -> Route<V4> {
        self.tables.route(key)
    }

    fn has_socket(&self, key: &FlowKey<V4>) -> bool {
        self.tables.has_socket(key)
    }

    fn is_connected(&self, netns: NetnsId, key: &FlowKey<V4>) -> bool {
        self.tables.is_connected(netns, key)
    }

    fn sends_datagrams(&self, pod: V4) -> bool {
        self.tables.sends_datagrams(pod)
    }

    fn note_datagram(&self, pod: V4) {
        self.tables.note_datagram(pod);
    }

    fn has_proven(&self, link: u32, source: V4) -> bool {
        self.tables.has_proven(link, source)
    }

    fn note_proven(&self, link: u32, source: V4) {
        self.tables.note_proven(link, source);
    }

    fn is_unguarded(&self, link: u32) -> bool {
        Tables::<V4>::is_unguarded(self.tables, link)
    }
}

/// How many bits of a schedule it takes to turn more often than this.
pub(super) fn excess(schedule: u32, most_turns: u32) -> Option<u32> {
    let turns = (1..STEPS).filter(|step| {
        let last_two = schedule >> (STEPS - step - 1) & 0b11;
        [0b01, 0b10].contains(&last_two)
    });
    turns.map(|step| step + 1).nth(most_turns as usize)
}

/// The next schedule that differs in the first so many bits; none behind the last.
pub(super) fn following(schedule: u32, bits: u32) -> Option<u32> {
    let rest = STEPS - bits;
    let next = ((schedule >> rest) + 1) << rest;
    (next < 1 << STEPS).then_some(next)
}
