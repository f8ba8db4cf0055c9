//! Maps in memory: written by the reconciler and read by the packet path, so that packets can be
//! tried on what was reconciled without a kernel.

mod tables;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use dataplane_common::abi::{
    Addr, Affinity, AffinityKey, Backend, BackendId, Counter, FlowEntry, FlowKey, FragmentKey,
    Fragmented, FrontendKey, HostPort, Link, NetnsId, Network, Node, Pod, Port, Proto, Service,
    Slot, SlotFlags, SocketEntry, SocketKey, names,
};
use dataplane_common::flow::Route;

pub use self::tables::FakeFamily;
use super::{ApplyError, Bounds, Capacity, LbMaps, Result, Source, length};

/// All maps of a node, in memory.
#[derive(Debug)]
pub struct FakeMaps {
    capacity: Capacity,
    services: BTreeMap<FrontendKey, Service>,
    slots: BTreeMap<u32, Slot>,
    backends: BTreeMap<BackendId, Backend>,
    sources: BTreeSet<Source>,
    writes: usize,
    /// Pods of this node, by address.
    pub pods: BTreeMap<Addr, Pod>,
    /// Devices, by index.
    pub links: BTreeMap<u32, Link>,
    /// Where NodePorts and cluster IPs are.
    pub bounds: Bounds,
    /// What the node is but for those.
    pub node: Option<Node>,
    /// First fragments of datagrams.
    pub fragments: RefCell<BTreeMap<FragmentKey, Fragmented>>,
    /// Networks, by address and how many of its 128 bits count.
    pub networks: BTreeMap<(Addr, u32), Network>,
    /// Ports of the node that lead to pods.
    pub host_ports: BTreeMap<FrontendKey, HostPort>,
    /// Clients held to backends.
    pub affinities: RefCell<BTreeMap<AffinityKey, Affinity>>,
    /// Routes of IPv4, by destination; what is not here is left to the stack.
    pub routes4: BTreeMap<[u8; 4], Route<[u8; 4]>>,
    /// Routes of IPv6, by destination; what is not here is left to the stack.
    pub routes6: BTreeMap<[u8; 16], Route<[u8; 16]>>,
    /// Ports that sockets of the node have.
    pub sockets: Vec<Port>,
    /// Connected sockets of pods.
    pub connected: Vec<Connected>,
    /// Links whose pods may send from any address.
    pub unguarded: BTreeSet<u32>,
    calls: RefCell<BTreeMap<SocketKey, SocketEntry>>,
    /// Pods that have sent a datagram to no Service.
    datagrams: RefCell<BTreeSet<Addr>>,
    flows4: Flows<[u8; 4]>,
    flows6: Flows<[u8; 16]>,
    counters: RefCell<BTreeMap<u32, u64>>,
    full_flows: Cell<bool>,
}

/// A connected socket: where it is, its protocol, its own end and its peer's.
pub type Connected = (NetnsId, Proto, (Addr, Port), (Addr, Port));

/// Conntrack of one family.
type Flows<A> = RefCell<BTreeMap<FlowKey<A>, FlowEntry<A>>>;

/// What an array element is before it is written.
const EMPTY_SLOT: Slot = Slot {
    addr: Addr([0; 16]),
    port: Port::new(0),
    generation: 0,
    backend: BackendId(0),
    flags: SlotFlags(0),
};

impl FakeMaps {
    /// Empty maps of the size the kernel's have.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(Capacity {
            slots: names::MAX_SLOTS,
            backends: names::MAX_BACKENDS,
            services: names::MAX_SERVICES,
            sources: names::MAX_SOURCES,
        })
    }

    /// Empty maps of a chosen size.
    #[must_use]
    pub fn with_capacity(capacity: Capacity) -> Self {
        Self {
            capacity,
            services: BTreeMap::new(),
            slots: BTreeMap::new(),
            backends: BTreeMap::new(),
            sources: BTreeSet::new(),
            writes: 0,
            pods: BTreeMap::new(),
            links: BTreeMap::new(),
            bounds: Bounds::default(),
            node: None,
            fragments: RefCell::default(),
            networks: BTreeMap::new(),
            host_ports: BTreeMap::new(),
            affinities: RefCell::default(),
            routes4: BTreeMap::new(),
            routes6: BTreeMap::new(),
            sockets: Vec::new(),
            connected: Vec::new(),
            unguarded: BTreeSet::new(),
            calls: RefCell::default(),
            datagrams: RefCell::default(),
            flows4: RefCell::default(),
            flows6: RefCell::default(),
            counters: RefCell::default(),
            full_flows: Cell::new(false),
        }
    }

    /// How many elements were written or deleted since the maps were made.
    #[must_use]
    pub fn writes(&self) -> usize {
        self.writes
    }

    /// Makes conntrack refuse new entries, or take them again.
    pub fn set_flows_full(&self, full: bool) {
        self.full_flows.set(full);
    }

    /// How often a counter was added to.
    #[must_use]
    pub fn counter(&self, counter: Counter) -> u64 {
        self.counters.borrow().get(&counter.index()).copied().unwrap_or(0)
    }

    /// Every counter that is not zero.
    #[must_use]
    pub fn counters(&self) -> BTreeMap<Counter, u64> {
        let counted = Counter::ALL.map(|counter| (counter, self.counter(counter)));
        counted.into_iter().filter(|(_, count)| *count != 0).collect()
    }

    /// Everything in a family's conntrack.
    #[must_use]
    pub fn flows<A: FakeFamily>(&self) -> BTreeMap<FlowKey<A>, FlowEntry<A>> {
        A::flows(self).borrow().clone()
    }
}

impl Default for FakeMaps {
    fn default() -> Self {
        Self::new()
    }
}

// === impl LbMaps ===

impl LbMaps for FakeMaps {
    fn capacity(&self) -> Capacity {
        self.capacity
    }

    fn services(&self) -> Result<Vec<(FrontendKey, Service)>> {
        Ok(self.services.iter().map(|(key, value)| (*key, *value)).collect())
    }

    fn put_service(&mut self, key: &FrontendKey, value: &Service) -> Result<()> {
        let room = self.capacity.services as usize > self.services.len();
        if !room && !self.services.contains_key(key) {
            return Err(ApplyError::Full { map: names::SERVICES });
        }
        self.writes += 1;
        self.services.insert(*key, *value);
        Ok(())
    }

    fn delete_service(&mut self, key: &FrontendKey) -> Result<()> {
        self.services.remove(key).ok_or(ApplyError::NotFound { map: names::SERVICES })?;
        self.writes += 1;
        Ok(())
    }

    fn slots(&self, range: Range<u32>) -> Result<Vec<Slot>> {
        if range.end > self.capacity.slots {
            return Err(ApplyError::NotFound { map: names::SLOTS });
        }
        Ok(range.map(|index| self.slots.get(&index).copied().unwrap_or(EMPTY_SLOT)).collect())
    }

    fn write_slots(&mut self, base: u32, slots: &[Slot]) -> Result<()> {
        if base.saturating_add(length(slots)) > self.capacity.slots {
            return Err(ApplyError::NotFound { map: names::SLOTS });
        }
        self.writes += slots.len();
        self.slots.extend((base..).zip(slots.iter().copied()));
        Ok(())
    }

    fn backends(&self) -> Result<Vec<(BackendId, Backend)>> {
        Ok(self.backends.iter().map(|(id, backend)| (*id, *backend)).collect())
    }

    fn write_backend(&mut self, id: BackendId, backend: &Backend) -> Result<()> {
        if id.0 >= self.capacity.backends {
            return Err(ApplyError::NotFound { map: names::BACKENDS });
        }
        self.writes += 1;
        self.backends.insert(id, *backend);
        Ok(())
    }

    fn sources(&self) -> Result<Vec<Source>> {
        Ok(self.sources.iter().copied().collect())
    }

    fn put_source(&mut self, source: Source) -> Result<()> {
        let room = self.capacity.sources as usize > self.sources.len();
        if !room && !self.sources.contains(&source) {
            return Err(ApplyError::Full { map: names::SOURCES });
        }
        self.writes += 1;
        self.sources.insert(source);
        Ok(())
    }

    fn delete_source(&mut self, source: Source) -> Result<()> {
        let was_there = self.sources.remove(&source);
        self.writes += usize::from(was_there);
        if was_there { Ok(()) } else { Err(ApplyError::NotFound { map: names::SOURCES }) }
    }

    fn bound(&mut self, bounds: &Bounds) -> Result<()> {
        self.bounds = *bounds;
        Ok(())
    }
}
