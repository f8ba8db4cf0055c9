//! The tables of the decisions: maps, and the host's routing table.

use aya_ebpf::bindings::{BPF_NOEXIST, bpf_fib_lookup as FibLookup};
use aya_ebpf::helpers::generated::{
    bpf_fib_lookup, bpf_sk_lookup_tcp, bpf_sk_lookup_udp, bpf_sk_release,
};
use dataplane_common::abi::{
    Addr, Affinity, AffinityKey, Backend, BackendId, Counter, FlowEntry, FlowKey, FragmentKey,
    Fragmented, FrontendKey, HostPort, Link, NetnsId, Network, Node, Pod, Port, Proto, Service,
    Slot, SocketEntry, SocketKey, SourceKey,
};
use dataplane_common::flow::{FlowTable, Inserted, Route, ServiceTables, Tables};
use dataplane_common::socket::SocketTables;

use crate::family::{Stored, route_lookup};
use crate::maps;
use crate::skb::{Skb, size};

/// `EEXIST`, as helpers return it.
const EXISTS: i32 = -17;
/// `BPF_FIB_LKUP_RET_SUCCESS`.
const FOUND: i64 = 0;
/// `BPF_FIB_LKUP_RET_NO_NEIGH`: a route, and a neighbour the kernel has yet to ask for.
const NO_NEIGHBOUR: i64 = 7;
/// `BPF_FIB_LKUP_RET_FRAG_NEEDED`: a route, and a packet bigger than its device takes. Whether that
/// matters is decided elsewhere, by the same MTU.
const FRAGMENTATION_NEEDED: i64 = 8;

/// The tables as a packet meets them, or as a socket (which has no `&Skb`) does.
pub(crate) struct BpfTables<T>(pub(crate) T);

impl<A: Stored> FlowTable<A> for BpfTables<&Skb> {
    #[inline(always)]
    fn flow(&self, key: &FlowKey<A>) -> Option<FlowEntry<A>> {
        // SAFETY: copied at once. An entry that the LRU takes away and reuses at this very instant
        // can be read half old and half new; the chance is that of a table far too small.
        unsafe { A::flows().get(key) }.copied()
    }

    #[inline(always)]
    fn insert_flow(&self, key: &FlowKey<A>, entry: &FlowEntry<A>) -> Inserted {
        match A::flows().insert(key, entry, BPF_NOEXIST.into()) {
            Ok(()) => Inserted::Yes,
            Err(EXISTS) => Inserted::Exists,
            Err(_) => Inserted::Full,
        }
    }

    #[inline(always)]
    fn update_flow(&self, key: &FlowKey<A>, entry: &FlowEntry<A>) -> bool {
        let Some(there) = A::flows().get_ptr_mut(key) else {
            return false;
        };
        // SAFETY: the pointer is to a live element; other CPUs write the same two words, each in
        // one store, and any of their values will do.
        unsafe {
            let changed = FlowEntry { last_seen: entry.last_seen, flags: entry.flags, ..*there };
            if changed != *entry {
                return false;
            }
            (*there).last_seen = entry.last_seen;
            (*there).flags = entry.flags;
        }
        true
    }

    #[inline(always)]
    fn remove_flow(&self, key: &FlowKey<A>) {
        // There is nothing to do where it is gone already.
        let _gone = A::flows().remove(key);
    }
}

impl<T> ServiceTables for BpfTables<T> {
    #[inline(always)]
    fn service(&self, key: &FrontendKey) -> Option<Service> {
        maps::service(key)
    }

    #[inline(always)]
    fn slot(&self, index: u32) -> Option<Slot> {
        maps::slot(index)
    }

    #[inline(always)]
    fn backend(&self, id: BackendId) -> Option<Backend> {
        maps::backend(id)
    }

    #[inline(always)]
    fn node(&self) -> Option<Node> {
        maps::node()
    }

    #[inline(always)]
    fn network(&self, addr: &Addr) -> Option<Network> {
        maps::network(addr)
    }

    #[inline(always)]
    fn host_port(&self, key: &FrontendKey) -> Option<HostPort> {
        maps::host_port(key)
    }

    #[inline(always)]
    fn may_be_host_port(&self, port: Port) -> bool {
        maps::may_be_host_port(port)
    }

    #[inline(always)]
    fn lets_in(&self, client: &SourceKey) -> bool {
        maps::lets_in(client)
    }

    #[inline(always)]
    fn affinity(&self, key: &AffinityKey) -> Option<Affinity> {
        maps::affinity(key)
    }

    #[inline(always)]
    fn hold_affinity(&self, key: &AffinityKey, affinity: &Affinity) -> bool {
        maps::hold_affinity(key, affinity)
    }

    #[inline(always)]
    fn fragment(&self, key: &FragmentKey) -> Option<Fragmented> {
        maps::fragment(key)
    }

    #[inline(always)]
    fn note_fragment(&self, key: &FragmentKey, first: &Fragmented) {
        maps::note_fragment(key, first);
    }

    #[inline(always)]
    fn timeout(&self, life: u32) -> u32 {
        maps::timeout(life)
    }

    #[inline(always)]
    fn count(&self, counter: Counter) {
        maps::count(counter);
    }
}

impl SocketTables for BpfTables<()> {
    #[inline(always)]
    fn socket(&self, key: &SocketKey) -> Option<SocketEntry> {
        maps::socket(key)
    }

    #[inline(always)]
    fn hold_socket(&self, key: &SocketKey, entry: &SocketEntry) {
        maps::hold_socket(key, entry);
    }

    #[inline(always)]
    fn forget_socket(&self, key: &SocketKey) {
        maps::forget_socket(key);
    }
}

impl<A: Stored> Tables<A> for BpfTables<&Skb> {
    #[inline(always)]
    fn pod(&self, addr: A) -> Option<Pod> {
        maps::pod(&addr.widen())
    }

    #[inline(always)]
    fn link(&self, ifindex: u32) -> Option<Link> {
        maps::link(ifindex)
    }

    #[inline(always)]
    fn route(&self, key: &FlowKey<A>) -> Route<A> {
        let mut lookup = route_lookup(key, self.0.ifindex());
        let size = size(size_of::<FibLookup>()).cast_signed();
        // SAFETY: `lookup` is `size` readable and writable bytes, every one initialised.
        let answer = unsafe { bpf_fib_lookup(self.0.raw().cast(), &raw mut lookup, size, 0) };
        match answer {
            // A route of one family may have a gateway of the other.
            FOUND | NO_NEIGHBOUR | FRAGMENTATION_NEEDED if lookup.family == A::AF => Route::Via {
                ifindex: lookup.ifindex,
                next_hop: A::next_hop(&lookup.__bindgen_anon_4),
            },
            _ => Route::Stack,
        }
    }

    #[inline(always)]
    fn has_socket(&self, key: &FlowKey<A>) -> bool {
        socket_peer(self.0, key, HERE) != NO_SOCKET
    }

    #[inline(always)]
    fn is_connected(&self, netns: NetnsId, key: &FlowKey<A>) -> bool {
        // A socket that is connected to nobody has no peer's port.
        socket_peer(self.0, key, netns.number().into()) == u16::from_ne_bytes(key.sport.0).into()
    }

    #[inline(always)]
    fn sends_datagrams(&self, pod: A) -> bool {
        maps::sends_datagrams(&pod.widen())
    }

    #[inline(always)]
    fn note_datagram(&self, pod: A) {
        maps::note_datagram(&pod.widen());
    }

    #[inline(always)]
    fn has_proven(&self, link: u32, source: A) -> bool {
        maps::has_proven(link, source)
    }

    #[inline(always)]
    fn note_proven(&self, link: u32, source: A) {
        maps::note_proven(link, source);
    }

    #[inline(always)]
    fn is_unguarded(&self, link: u32) -> bool {
        maps::is_unguarded(link)
    }
}

/// `BPF_F_CURRENT_NETNS`: the network namespace of the packet's device, which is the host's.
const HERE: u64 = u64::MAX;

/// No port of a socket's peer.
const NO_SOCKET: u32 = u32::MAX;

/// Asks the kernel for the socket of a packet's tuple, and that for its peer's port, as it stands in
/// packets. No `Option`: bytes that nobody has written would be returned with its `None`.
// Not inlined: rare, and its stack is needed elsewhere.
#[inline(never)]
fn socket_peer<A: Stored>(skb: &Skb, key: &FlowKey<A>, netns: u64) -> u32 {
    let (context, (mut tuple, bytes)) = (skb.raw().cast(), A::socket_tuple(key));
    let size = size(bytes);
    // SAFETY: `tuple` is `size` readable bytes, every one initialised.
    let socket = unsafe {
        if key.proto == Proto::TCP {
            bpf_sk_lookup_tcp(context, &raw mut tuple, size, netns, 0)
        } else {
            bpf_sk_lookup_udp(context, &raw mut tuple, size, netns, 0)
        }
    };
    if socket.is_null() {
        return NO_SOCKET;
    }
    // SAFETY: the socket is one that a look-up has just given; it is read before it is given back.
    unsafe {
        let port = (&raw const (*socket).dst_port).read_volatile();
        bpf_sk_release(socket.cast());
        port.into()
    }
}
