//! The maps, by noun. Names and sizes are those of `dataplane_common::abi::names`.

use aya_ebpf::bindings::BPF_F_NO_PREALLOC;
use aya_ebpf::btf_maps::lpm_trie::Key;
use aya_ebpf::btf_maps::{Array, HashMap, LpmTrie, LruHashMap, PerCpuArray};
use aya_ebpf::macros::btf_map;
use dataplane_common::abi::{
    Addr, Affinity, AffinityKey, Backend, BackendId, Counter, FlowEntry, FlowKey, FragmentKey,
    Fragmented, FrontendKey, HostPort, LIVES, Link, Meta, Network, Node, Pod, Port, SOURCE_PREFIX,
    Service, Slot, SocketEntry, SocketKey, SourceKey, names,
};

use crate::family::Stored;
use crate::skb::Scratch;

/// Conntrack of one family.
pub(crate) type Flows<A> = LruHashMap<FlowKey<A>, FlowEntry<A>, { names::MAX_FLOWS as usize }>;

#[btf_map(name = "services")]
static SERVICES: HashMap<
    FrontendKey,
    Service,
    { names::MAX_SERVICES as usize },
    { BPF_F_NO_PREALLOC as usize },
> = HashMap::new();

#[btf_map(name = "slots")]
static SLOTS: Array<Slot, { names::MAX_SLOTS as usize }> = Array::new();

#[btf_map(name = "backends")]
static BACKENDS: Array<Backend, { names::MAX_BACKENDS as usize }> = Array::new();

#[btf_map(name = "flows4")]
pub(crate) static FLOWS4: Flows<[u8; 4]> = Flows::new();

#[btf_map(name = "flows6")]
pub(crate) static FLOWS6: Flows<[u8; 16]> = Flows::new();

#[btf_map(name = "pods")]
static PODS: HashMap<Addr, Pod, { names::MAX_PODS as usize }> = HashMap::new();

#[btf_map(name = "links")]
static LINKS: HashMap<u32, Link, { names::MAX_LINKS as usize }> = HashMap::new();

#[btf_map(name = "counters")]
static COUNTERS: PerCpuArray<u64, { Counter::ALL.len() }> = PerCpuArray::new();

/// Written and read by the agent alone; here so that it is created and pinned with the others.
#[btf_map(name = "meta")]
static META: Array<Meta, 1> = Array::new();

#[btf_map(name = "node")]
static NODE: Array<Node, 1> = Array::new();

#[btf_map(name = "networks")]
static NETWORKS: LpmTrie<[u8; 16], Network, { names::MAX_NETWORKS as usize }> = LpmTrie::new();

#[btf_map(name = "affinities")]
static AFFINITIES: LruHashMap<AffinityKey, Affinity, { names::MAX_AFFINITIES as usize }> =
    LruHashMap::new();

#[btf_map(name = "sockets")]
static SOCKETS: LruHashMap<SocketKey, SocketEntry, { names::MAX_SOCKETS as usize }> =
    LruHashMap::new();

#[btf_map(name = "sources")]
static SOURCES: LpmTrie<SourceKey, u32, { names::MAX_SOURCES as usize }> = LpmTrie::new();

#[btf_map(name = "fragments")]
static FRAGMENTS: LruHashMap<FragmentKey, Fragmented, { names::MAX_FRAGMENTS as usize }> =
    LruHashMap::new();

#[btf_map(name = "timeouts")]
static TIMEOUTS: Array<u32, { LIVES as usize }> = Array::new();

/// Written by the CNI plugin. Not preallocated, as most nodes have few or none.
#[btf_map(name = "host_ports")]
static HOST_PORTS: HashMap<
    FrontendKey,
    HostPort,
    { names::MAX_HOST_PORTS as usize },
    { BPF_F_NO_PREALLOC as usize },
> = HashMap::new();

/// Written by the CNI plugin.
#[btf_map(name = "host_port_marks")]
static HOST_PORT_MARKS: Array<u32, { names::MAX_HOST_PORT_MARKS as usize }> = Array::new();

/// Pods that have sent a datagram to no Service, by the end of their address. Not pinned: their next
/// one says it again.
#[btf_map(name = "datagrams")]
static DATAGRAMS: Array<u32, SENDERS> = Array::new();

/// Elements of `datagrams`. Pods that share one ask for sockets without need.
const SENDERS: usize = 4096;

/// By link, the address that packets came from last and that was proven to be its pod's. Of each CPU
/// its own, so that nobody reads what another is about to write. Not pinned: the next packet proves
/// it again.
pub(crate) type ProvenSources<A> = PerCpuArray<Proven<A>, PROVEN>;

/// Elements of `proven4` and `proven6`. Links that share one prove their sources again and again.
const PROVEN: usize = 1024;

/// An element of them.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Proven<A> {
    link: u32,
    source: A,
}

#[btf_map(name = "proven4")]
pub(crate) static PROVEN4: ProvenSources<[u8; 4]> = ProvenSources::new();

#[btf_map(name = "proven6")]
pub(crate) static PROVEN6: ProvenSources<[u8; 16]> = ProvenSources::new();

#[btf_map(name = "unguarded")]
static UNGUARDED_LINKS: HashMap<u32, u32, { names::MAX_UNGUARDED as usize }> = HashMap::new();

/// Not pinned: nothing in them outlives a packet.
#[btf_map(name = "scratch4")]
pub(crate) static SCRATCH4: PerCpuArray<Scratch<[u8; 4]>, 1> = PerCpuArray::new();

#[btf_map(name = "scratch6")]
pub(crate) static SCRATCH6: PerCpuArray<Scratch<[u8; 16]>, 1> = PerCpuArray::new();

#[inline(always)]
pub(crate) fn service(key: &FrontendKey) -> Option<Service> {
    // SAFETY: `services` is not preallocated, so that the value behind the reference is freed only
    // after this program has run; it is copied at once.
    unsafe { SERVICES.get(key) }.copied()
}

#[inline(always)]
pub(crate) fn slot(index: u32) -> Option<Slot> {
    SLOTS.get(index).copied()
}

#[inline(always)]
pub(crate) fn backend(id: BackendId) -> Option<Backend> {
    BACKENDS.get(id.0).copied()
}

#[inline(always)]
pub(crate) fn pod(addr: &Addr) -> Option<Pod> {
    // SAFETY: copied at once. A pod that is replaced at this very instant may be read half old and
    // half new: its packet goes to a device that is being taken down anyway.
    unsafe { PODS.get(addr) }.copied()
}

#[inline(always)]
pub(crate) fn link(ifindex: u32) -> Option<Link> {
    // SAFETY: copied at once; the value is a single word.
    defined(unsafe { LINKS.get(ifindex) })
}

/// A copy whose bytes have a value even where there is none. Otherwise the compiler may compute with
/// what is in nothing before it asks whether there is something: whatever a register happens to
/// hold, which the verifier refuses.
#[inline(always)]
fn defined<T: Copy + Default>(found: Option<&T>) -> Option<T> {
    let value = match found {
        Some(value) => *value,
        None => T::default(),
    };
    let mut is_some = usize::from(found.is_some());
    // SAFETY: changes the one register, and that to the value it has.
    #[cfg(target_arch = "bpf")]
    unsafe {
        core::arch::asm!("{0} &= 1", inout(reg) is_some, options(pure, nomem, nostack));
    }
    (is_some != 0).then_some(value)
}

#[inline(always)]
pub(crate) fn node() -> Option<Node> {
    NODE.get(0).copied()
}

#[inline(always)]
pub(crate) fn network(addr: &Addr) -> Option<Network> {
    let key = Key::new(128, addr.0);
    defined(NETWORKS.get(&key))
}

#[inline(always)]
pub(crate) fn host_port(key: &FrontendKey) -> Option<HostPort> {
    // SAFETY: `host_ports` is not preallocated, so that the value behind the reference is freed only
    // after this program has run; it is copied at once.
    defined(unsafe { HOST_PORTS.get(key) })
}

#[inline(always)]
pub(crate) fn may_be_host_port(port: Port) -> bool {
    HOST_PORT_MARKS.get(HostPort::mark(port)).is_some_and(|mark| *mark != 0)
}

#[inline(always)]
pub(crate) fn lets_in(client: &SourceKey) -> bool {
    let key = Key::new(SOURCE_PREFIX.wrapping_add(128), *client);
    SOURCES.get(&key).is_some()
}

#[inline(always)]
pub(crate) fn affinity(key: &AffinityKey) -> Option<Affinity> {
    // SAFETY: copied at once. An entry that the LRU takes away and reuses at this very instant can
    // be read half old and half new; its backend is checked against the array `backends`.
    unsafe { AFFINITIES.get(key) }.copied()
}

#[inline(always)]
pub(crate) fn hold_affinity(key: &AffinityKey, affinity: &Affinity) -> bool {
    AFFINITIES.insert(key, affinity, 0).is_ok()
}

#[inline(always)]
pub(crate) fn socket(key: &SocketKey) -> Option<SocketEntry> {
    // SAFETY: copied at once. An entry that the LRU takes away and reuses at this very instant can
    // be read half old and half new; the chance is that of a table far too small.
    unsafe { SOCKETS.get(key) }.copied()
}

#[inline(always)]
pub(crate) fn hold_socket(key: &SocketKey, entry: &SocketEntry) {
    // Where it cannot be written the process sees the backend itself.
    let _refused = SOCKETS.insert(key, entry, 0);
}

#[inline(always)]
pub(crate) fn forget_socket(key: &SocketKey) {
    // There is nothing to do where it is gone already.
    let _gone = SOCKETS.remove(key);
}

#[inline(always)]
pub(crate) fn fragment(key: &FragmentKey) -> Option<Fragmented> {
    // SAFETY: copied at once. An entry that the LRU takes away and reuses at this very instant can
    // be read half old and half new: then a fragment comes to the wrong datagram's flow and is
    // thrown away where datagrams are put together.
    unsafe { FRAGMENTS.get(key) }.copied()
}

#[inline(always)]
pub(crate) fn note_fragment(key: &FragmentKey, first: &Fragmented) {
    // Where it cannot be written the later ones are dropped.
    let _refused = FRAGMENTS.insert(key, first, 0);
}

#[inline(always)]
pub(crate) fn timeout(life: u32) -> u32 {
    TIMEOUTS.get(life).copied().unwrap_or(0)
}

#[inline(always)]
pub(crate) fn sends_datagrams(pod: &Addr) -> bool {
    DATAGRAMS.get(sender(pod)).is_some_and(|noted| *noted != 0)
}

#[inline(always)]
pub(crate) fn note_datagram(pod: &Addr) {
    if let Some(noted) = DATAGRAMS.get_ptr_mut(sender(pod)) {
        // SAFETY: a single word, in which all CPUs write the same. It is read first, so that they
        // do not take the line from each other with each datagram.
        unsafe {
            if noted.read_volatile() == 0 {
                noted.write_volatile(1);
            }
        }
    }
}

#[inline(always)]
pub(crate) fn has_proven<A: Stored>(link: u32, source: A) -> bool {
    A::proven()
        .get(link % PROVEN as u32)
        .is_some_and(|proven| proven.link == link && proven.source == source)
}

#[inline(always)]
pub(crate) fn note_proven<A: Stored>(link: u32, source: A) {
    if let Some(proven) = A::proven().get_ptr_mut(link % PROVEN as u32) {
        // SAFETY: the element is this CPU's own, and programs do not interrupt each other on it.
        unsafe { *proven = Proven { link, source } };
    }
}

#[inline(always)]
pub(crate) fn is_unguarded(link: u32) -> bool {
    // SAFETY: only asked for whether it is there.
    unsafe { UNGUARDED_LINKS.get(link) }.is_some()
}

#[inline(always)]
fn sender(Addr(bytes): &Addr) -> u32 {
    u32::from(u16::from_be_bytes([bytes[14], bytes[15]])) % SENDERS as u32
}

#[inline(always)]
pub(crate) fn count(counter: Counter) {
    if let Some(value) = COUNTERS.get_ptr_mut(counter.index()) {
        // SAFETY: the element is this CPU's own, and programs do not interrupt each other on it.
        unsafe { *value = (*value).wrapping_add(1) };
    }
}
