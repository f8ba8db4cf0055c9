//! Tables of ordinary collections, for this crate's own tests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use super::{Env, FlowTable, Inserted, Route, ServiceTables, Tables};
use crate::abi::{
    Addr, Address, Affinity, AffinityKey, Backend, BackendId, BackendState, Counter, Family,
    FlowEntry, FlowKey, FragmentKey, Fragmented, FrontendKey, FrontendKind, HostPort, Link,
    NetnsId, Network, Node, Phase, Pod, Port, Proto, Scopes, Service, ServiceFlags, Slot,
    SlotFlags, SocketEntry, SocketKey, SourceKey,
};
use crate::socket::SocketTables;

/// Tables of one family.
pub(crate) struct Fake<A> {
    pub(crate) flows: Mutex<BTreeMap<FlowKey<A>, FlowEntry<A>>>,
    /// How many of them there may be: then the oldest goes.
    pub(crate) room: usize,
    pub(crate) counted: Mutex<BTreeMap<Counter, u64>>,
    pub(crate) pods: Mutex<BTreeMap<A, Pod>>,
    pub(crate) links: Mutex<BTreeMap<u32, Link>>,
    pub(crate) routes: Mutex<BTreeMap<A, Route<A>>>,
    pub(crate) node: Mutex<Option<Node>>,
    /// First fragments.
    pub(crate) fragments: Mutex<BTreeMap<FragmentKey, Fragmented>>,
    /// Seconds that are not usual.
    pub(crate) timeouts: Mutex<BTreeMap<Phase, u32>>,
    /// By address: of tests' networks each has but one.
    pub(crate) networks: Mutex<BTreeMap<Addr, Network>>,
    /// Ports of the node that lead to pods.
    pub(crate) host_ports: Mutex<BTreeMap<FrontendKey, HostPort>>,
    /// Clients that are let in.
    pub(crate) sources: Mutex<Vec<SourceKey>>,
    pub(crate) affinities: Mutex<BTreeMap<AffinityKey, Affinity>>,
    /// Whether `affinities` takes no more.
    pub(crate) refuses_affinities: bool,
    /// Ports that sockets of the node have.
    pub(crate) sockets: Mutex<Vec<Port>>,
    /// Connected sockets of pods, by what they receive.
    pub(crate) connected: Mutex<Vec<(NetnsId, FlowKey<A>)>>,
    /// Pods that have sent a datagram to no Service.
    pub(crate) datagrams: Mutex<BTreeSet<A>>,
    /// What links have proven last.
    pub(crate) proven: Mutex<BTreeMap<u32, A>>,
    /// Links whose pods may send from any address.
    pub(crate) unguarded: Mutex<BTreeSet<u32>>,
    /// What calls of sockets have written down.
    pub(crate) calls: Mutex<BTreeMap<SocketKey, SocketEntry>>,
    /// Names of the maps that were read, in order.
    pub(crate) reads: Mutex<Vec<&'static str>>,
    backends: Mutex<BTreeMap<BackendId, Backend>>,
    pub(crate) services: Mutex<BTreeMap<FrontendKey, Service>>,
    slots: Mutex<BTreeMap<u32, Slot>>,
}

impl<A> Default for Fake<A> {
    fn default() -> Self {
        Self {
            flows: Mutex::default(),
            room: usize::MAX,
            counted: Mutex::default(),
            pods: Mutex::default(),
            links: Mutex::default(),
            routes: Mutex::default(),
            node: Mutex::default(),
            timeouts: Mutex::default(),
            fragments: Mutex::default(),
            networks: Mutex::default(),
            host_ports: Mutex::default(),
            sources: Mutex::default(),
            affinities: Mutex::default(),
            refuses_affinities: false,
            sockets: Mutex::default(),
            connected: Mutex::default(),
            datagrams: Mutex::default(),
            proven: Mutex::default(),
            unguarded: Mutex::default(),
            calls: Mutex::default(),
            reads: Mutex::default(),
            backends: Mutex::default(),
            services: Mutex::default(),
            slots: Mutex::default(),
        }
    }
}

/// A slot as [`Fake::add_slot`] takes it, of generation 1.
pub(crate) fn backend_slot<A: Address>(addr: A, port: u16, backend: u32) -> Slot {
    Slot {
        addr: addr.widen(),
        port: Port::new(port),
        generation: 1,
        backend: BackendId(backend),
        flags: SlotFlags::default(),
    }
}

impl<A: Address> Fake<A> {
    pub(crate) fn add_service(&self, vip: A, port: u16, proto: Proto, service: Service) {
        let key = |port, proto, kind: FrontendKind| FrontendKey {
            addr: vip.widen(),
            port,
            proto,
            kind: kind.number(),
        };
        let mut services = self.services.lock().unwrap();
        services.insert(key(Port::new(port), proto, FrontendKind::Exact), service);
        services.insert(key(Port::new(0), Proto(0), FrontendKind::Address), Service::default());
    }

    /// Makes an address the one cluster IP that there is.
    pub(crate) fn add_cluster_ip(&self, ip: A) {
        let (port, proto, kind) = (Port::new(0), Proto(0), FrontendKind::Address.number());
        let key = FrontendKey { addr: ip.widen(), port, proto, kind };
        let mark = Service { flags: ServiceFlags::CLUSTER_IP, ..Service::default() };
        self.services.lock().unwrap().insert(key, mark);
        self.reserve(ip, ip);
    }

    /// Makes cluster IPs be between these.
    pub(crate) fn reserve(&self, first: A, last: A) {
        let mut node = self.node.lock().unwrap();
        let node = node.get_or_insert_default();
        match A::FAMILY {
            Family::V4 => {
                node.first_service4 = Address::narrow(first.widen());
                node.last_service4 = Address::narrow(last.widen());
            }
            Family::V6 => {
                (node.first_service6, node.last_service6) = (first.widen().0, last.widen().0);
            }
        }
    }

    pub(crate) fn add_node_port(&self, port: u16, proto: Proto, service: Service) {
        let kind = FrontendKind::AnyNode.number();
        let key = FrontendKey { addr: A::ANY.widen(), port: Port::new(port), proto, kind };
        self.services.lock().unwrap().insert(key, service);
    }

    pub(crate) fn add_slot(&self, index: u32, slot: Slot) {
        self.set_backend(slot.backend, BackendState::Active);
        self.slots.lock().unwrap().insert(index, slot);
    }

    /// In both sets, of generation 1.
    pub(crate) fn set_backend(&self, id: BackendId, state: BackendState) {
        let backend = Backend {
            generation: 1,
            state: state.number(),
            scopes: Scopes::LOCAL.union(Scopes::CLUSTER),
        };
        self.backends.lock().unwrap().insert(id, backend);
    }

    pub(crate) fn set_scopes(&self, id: BackendId, scopes: Scopes) {
        self.backends.lock().unwrap().entry(id).or_default().scopes = scopes;
    }

    pub(crate) fn set_generation(&self, id: BackendId, generation: u16) {
        self.backends.lock().unwrap().entry(id).or_default().generation = generation;
    }

    /// How many conntrack entries there are.
    pub(crate) fn size(&self) -> usize {
        self.flows.lock().unwrap().len()
    }

    pub(crate) fn add_pod(&self, addr: A, pod: Pod) {
        self.pods.lock().unwrap().insert(addr, pod);
    }
}

impl<A: Address> FlowTable<A> for Fake<A> {
    fn flow(&self, key: &FlowKey<A>) -> Option<FlowEntry<A>> {
        self.reads.lock().unwrap().push("flows");
        self.flows.lock().unwrap().get(key).copied()
    }

    fn insert_flow(&self, key: &FlowKey<A>, entry: &FlowEntry<A>) -> Inserted {
        let mut flows = self.flows.lock().unwrap();
        if flows.contains_key(key) {
            return Inserted::Exists;
        }
        if flows.len() >= self.room {
            let oldest = flows.iter().min_by_key(|(_, entry)| entry.last_seen);
            let oldest = oldest.map(|(key, _)| *key);
            oldest.and_then(|key| flows.remove(&key));
        }
        flows.insert(*key, *entry);
        Inserted::Yes
    }

    fn update_flow(&self, key: &FlowKey<A>, entry: &FlowEntry<A>) -> bool {
        let mut flows = self.flows.lock().unwrap();
        let FlowEntry { last_seen, flags, .. } = *entry;
        let same = |there: &&mut FlowEntry<A>| FlowEntry { last_seen, flags, ..**there } == *entry;
        flows.get_mut(key).filter(same).map(|there| *there = *entry).is_some()
    }

    fn remove_flow(&self, key: &FlowKey<A>) {
        self.flows.lock().unwrap().remove(key);
    }
}

impl<A: Address> ServiceTables for Fake<A> {
    fn service(&self, key: &FrontendKey) -> Option<Service> {
        self.reads.lock().unwrap().push("services");
        self.services.lock().unwrap().get(key).copied()
    }

    fn slot(&self, index: u32) -> Option<Slot> {
        self.reads.lock().unwrap().push("slots");
        self.slots.lock().unwrap().get(&index).copied()
    }

    fn backend(&self, id: BackendId) -> Option<Backend> {
        self.reads.lock().unwrap().push("backends");
        self.backends.lock().unwrap().get(&id).copied()
    }

    fn node(&self) -> Option<Node> {
        self.reads.lock().unwrap().push("node");
        *self.node.lock().unwrap()
    }

    fn network(&self, addr: &Addr) -> Option<Network> {
        self.reads.lock().unwrap().push("networks");
        self.networks.lock().unwrap().get(addr).copied()
    }

    fn host_port(&self, key: &FrontendKey) -> Option<HostPort> {
        self.reads.lock().unwrap().push("host_ports");
        self.host_ports.lock().unwrap().get(key).copied()
    }

    fn may_be_host_port(&self, port: Port) -> bool {
        self.host_ports.lock().unwrap().keys().any(|key| key.port == port)
    }

    fn lets_in(&self, client: &SourceKey) -> bool {
        self.reads.lock().unwrap().push("sources");
        self.sources.lock().unwrap().contains(client)
    }

    fn affinity(&self, key: &AffinityKey) -> Option<Affinity> {
        self.reads.lock().unwrap().push("affinities");
        self.affinities.lock().unwrap().get(key).copied()
    }

    fn hold_affinity(&self, key: &AffinityKey, affinity: &Affinity) -> bool {
        if self.refuses_affinities {
            return false;
        }
        self.affinities.lock().unwrap().insert(*key, *affinity);
        true
    }

    fn fragment(&self, key: &FragmentKey) -> Option<Fragmented> {
        self.reads.lock().unwrap().push("fragments");
        self.fragments.lock().unwrap().get(key).copied()
    }

    fn note_fragment(&self, key: &FragmentKey, first: &Fragmented) {
        self.fragments.lock().unwrap().insert(*key, *first);
    }

    fn timeout(&self, life: u32) -> u32 {
        self.reads.lock().unwrap().push("timeouts");
        let phase = Phase::of(life);
        self.timeouts.lock().unwrap().get(&phase).copied().unwrap_or(phase.usual())
    }

    fn count(&self, counter: Counter) {
        *self.counted.lock().unwrap().entry(counter).or_default() += 1;
    }
}

impl<A: Address> SocketTables for Fake<A> {
    fn socket(&self, key: &SocketKey) -> Option<SocketEntry> {
        self.calls.lock().unwrap().get(key).copied()
    }

    fn hold_socket(&self, key: &SocketKey, entry: &SocketEntry) {
        self.calls.lock().unwrap().insert(*key, *entry);
    }

    fn forget_socket(&self, key: &SocketKey) {
        self.calls.lock().unwrap().remove(key);
    }
}

impl<A: Address> Tables<A> for Fake<A> {
    fn pod(&self, addr: A) -> Option<Pod> {
        self.reads.lock().unwrap().push("pods");
        self.pods.lock().unwrap().get(&addr).copied()
    }

    fn link(&self, ifindex: u32) -> Option<Link> {
        self.reads.lock().unwrap().push("links");
        self.links.lock().unwrap().get(&ifindex).copied()
    }

    fn route(&self, key: &FlowKey<A>) -> Route<A> {
        self.routes.lock().unwrap().get(&key.dst).copied().unwrap_or(Route::Stack)
    }

    fn has_socket(&self, key: &FlowKey<A>) -> bool {
        self.sockets.lock().unwrap().contains(&key.dport)
    }

    fn is_connected(&self, netns: NetnsId, key: &FlowKey<A>) -> bool {
        self.reads.lock().unwrap().push("sockets");
        netns.is_known() && self.connected.lock().unwrap().contains(&(netns, *key))
    }

    fn sends_datagrams(&self, pod: A) -> bool {
        self.datagrams.lock().unwrap().contains(&pod)
    }

    fn note_datagram(&self, pod: A) {
        self.datagrams.lock().unwrap().insert(pod);
    }

    fn has_proven(&self, link: u32, source: A) -> bool {
        self.proven.lock().unwrap().get(&link) == Some(&source)
    }

    fn note_proven(&self, link: u32, source: A) {
        self.proven.lock().unwrap().insert(link, source);
    }

    fn is_unguarded(&self, link: u32) -> bool {
        self.unguarded.lock().unwrap().contains(&link)
    }
}

/// A clock that stands and a random number that is always the same.
pub(crate) struct FixedEnv {
    pub(crate) now: u32,
    pub(crate) random: u32,
}

impl Env for FixedEnv {
    fn now(&self) -> u32 {
        self.now
    }

    fn random(&self) -> u32 {
        self.random
    }
}

/// Whether each entry's sibling is there and names it as its own: no half flow.
pub(crate) fn orphans<A: Address>(tables: &Fake<A>) -> Vec<FlowKey<A>> {
    let flows = tables.flows.lock().unwrap();
    let whole = |key: &FlowKey<A>, entry: &FlowEntry<A>| {
        flows.get(&entry.sibling(key.proto)).is_some_and(|other| other.sibling(key.proto) == *key)
    };
    flows.iter().filter(|(key, entry)| !whole(key, entry)).map(|(key, _)| *key).collect()
}
