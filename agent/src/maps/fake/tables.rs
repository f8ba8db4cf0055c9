//! The maps in memory as the packet path reads and writes them.

use std::collections::BTreeMap;

use dataplane_common::abi::{
    Addr, Address, Affinity, AffinityKey, Backend, BackendId, Counter, FlowEntry, FlowKey,
    FragmentKey, Fragmented, FrontendKey, HostPort, Link, NetnsId, Network, Node, Phase, Pod, Port,
    Service, Slot, SocketEntry, SocketKey, SourceKey,
};
use dataplane_common::flow::{FlowTable, Inserted, Route, ServiceTables, Tables};
use dataplane_common::socket::SocketTables;

use super::{FakeMaps, Flows};

/// What differs between the families: which collections they live in.
pub trait FakeFamily: Address {
    /// The family's conntrack.
    fn flows(maps: &FakeMaps) -> &Flows<Self>;
    /// The family's routes.
    fn routes(maps: &FakeMaps) -> &BTreeMap<Self, Route<Self>>;
}

impl FakeFamily for [u8; 4] {
    fn flows(maps: &FakeMaps) -> &Flows<Self> {
        &maps.flows4
    }

    fn routes(maps: &FakeMaps) -> &BTreeMap<Self, Route<Self>> {
        &maps.routes4
    }
}

impl FakeFamily for [u8; 16] {
    fn flows(maps: &FakeMaps) -> &Flows<Self> {
        &maps.flows6
    }

    fn routes(maps: &FakeMaps) -> &BTreeMap<Self, Route<Self>> {
        &maps.routes6
    }
}

impl<A: FakeFamily> FlowTable<A> for FakeMaps {
    fn flow(&self, key: &FlowKey<A>) -> Option<FlowEntry<A>> {
        A::flows(self).borrow().get(key).copied()
    }

    fn insert_flow(&self, key: &FlowKey<A>, entry: &FlowEntry<A>) -> Inserted {
        let mut flows = A::flows(self).borrow_mut();
        if flows.contains_key(key) {
            return Inserted::Exists;
        }
        if self.full_flows.get() {
            return Inserted::Full;
        }
        flows.insert(*key, *entry);
        Inserted::Yes
    }

    fn update_flow(&self, key: &FlowKey<A>, entry: &FlowEntry<A>) -> bool {
        let mut flows = A::flows(self).borrow_mut();
        let FlowEntry { last_seen, flags, .. } = *entry;
        let same = |there: &&mut FlowEntry<A>| FlowEntry { last_seen, flags, ..**there } == *entry;
        flows.get_mut(key).filter(same).map(|there| *there = *entry).is_some()
    }

    fn remove_flow(&self, key: &FlowKey<A>) {
        A::flows(self).borrow_mut().remove(key);
    }
}

impl ServiceTables for FakeMaps {
    fn service(&self, key: &FrontendKey) -> Option<Service> {
        self.services.get(key).copied()
    }

    fn slot(&self, index: u32) -> Option<Slot> {
        self.slots.get(&index).copied()
    }

    fn backend(&self, id: BackendId) -> Option<Backend> {
        self.backends.get(&id).copied()
    }

    fn node(&self) -> Option<Node> {
        self.node.map(|node| self.bounds.told(node))
    }

    fn network(&self, addr: &Addr) -> Option<Network> {
        let addr = u128::from_be_bytes(addr.0);
        let around = |(net, bits): &(Addr, u32)| {
            let other = addr ^ u128::from_be_bytes(net.0);
            other.leading_zeros() >= *bits
        };
        let nets = self.networks.iter().filter(|(net, _)| around(net));
        nets.max_by_key(|((_, bits), _)| *bits).map(|(_, network)| *network)
    }

    fn host_port(&self, key: &FrontendKey) -> Option<HostPort> {
        self.host_ports.get(key).copied()
    }

    fn may_be_host_port(&self, port: Port) -> bool {
        self.host_ports.keys().any(|key| HostPort::mark(key.port) == HostPort::mark(port))
    }

    fn lets_in(&self, client: &SourceKey) -> bool {
        let ip = client.addr.to_ip();
        self.sources
            .iter()
            .any(|source| source.service == client.service && source.network.contains(ip))
    }

    fn affinity(&self, key: &AffinityKey) -> Option<Affinity> {
        self.affinities.borrow().get(key).copied()
    }

    fn hold_affinity(&self, key: &AffinityKey, affinity: &Affinity) -> bool {
        self.affinities.borrow_mut().insert(*key, *affinity);
        true
    }

    fn fragment(&self, key: &FragmentKey) -> Option<Fragmented> {
        self.fragments.borrow().get(key).copied()
    }

    fn note_fragment(&self, key: &FragmentKey, first: &Fragmented) {
        self.fragments.borrow_mut().insert(*key, *first);
    }

    fn timeout(&self, life: u32) -> u32 {
        Phase::of(life).usual()
    }

    fn count(&self, counter: Counter) {
        *self.counters.borrow_mut().entry(counter.index()).or_default() += 1;
    }
}

impl SocketTables for FakeMaps {
    fn socket(&self, key: &SocketKey) -> Option<SocketEntry> {
        self.calls.borrow().get(key).copied()
    }

    fn hold_socket(&self, key: &SocketKey, entry: &SocketEntry) {
        self.calls.borrow_mut().insert(*key, *entry);
    }

    fn forget_socket(&self, key: &SocketKey) {
        self.calls.borrow_mut().remove(key);
    }
}

impl<A: FakeFamily> Tables<A> for FakeMaps {
    fn pod(&self, addr: A) -> Option<Pod> {
        self.pods.get(&addr.widen()).copied()
    }

    fn link(&self, ifindex: u32) -> Option<Link> {
        self.links.get(&ifindex).copied()
    }

    fn route(&self, key: &FlowKey<A>) -> Route<A> {
        A::routes(self).get(&key.dst).copied().unwrap_or(Route::Stack)
    }

    fn has_socket(&self, key: &FlowKey<A>) -> bool {
        self.sockets.contains(&key.dport)
    }

    fn is_connected(&self, netns: NetnsId, key: &FlowKey<A>) -> bool {
        let FlowKey { src, dst, sport, dport, proto, .. } = *key;
        let socket = (netns, proto, (dst.widen(), dport), (src.widen(), sport));
        netns.is_known() && self.connected.contains(&socket)
    }

    fn sends_datagrams(&self, pod: A) -> bool {
        self.datagrams.borrow().contains(&pod.widen())
    }

    fn note_datagram(&self, pod: A) {
        self.datagrams.borrow_mut().insert(pod.widen());
    }
    /// Who is behind a link that no pod is said to be behind may be anybody.
    fn has_proven(&self, link: u32, _source: A) -> bool {
        self.pods.values().all(|pod| pod.ifindex != link)
    }

    fn note_proven(&self, _link: u32, _source: A) {}

    fn is_unguarded(&self, link: u32) -> bool {
        self.unguarded.contains(&link)
    }
}
