//! What decisions read and write: maps in the kernel, ordinary collections in tests and tools.

use crate::abi::{
    Addr, Address, Affinity, AffinityKey, Backend, BackendId, Counter, FlowEntry, FlowKey,
    FragmentKey, Fragmented, FrontendKey, HostPort, Link, NetnsId, Network, Node, Pod, Port,
    Service, Slot, SourceKey,
};

/// What a NOEXIST insert came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// The entry is in.
    Yes,
    /// The key has an entry already.
    Exists,
    /// The table takes no more.
    Full,
}

/// Conntrack of one family. Methods take `&self` because other CPUs write too.
pub trait FlowTable<A: Address> {
    /// The entry of a key.
    fn flow(&self, key: &FlowKey<A>) -> Option<FlowEntry<A>>;
    /// Puts an entry where there is none (`BPF_NOEXIST`).
    fn insert_flow(&self, key: &FlowKey<A>, entry: &FlowEntry<A>) -> Inserted;
    /// Writes `last_seen` and `flags`, the fields that change in an entry's life, where the entry
    /// that is there is the same in all others; tells whether it is.
    fn update_flow(&self, key: &FlowKey<A>, entry: &FlowEntry<A>) -> bool;
    /// Takes an entry out, if there is one.
    fn remove_flow(&self, key: &FlowKey<A>);
}

/// What says which backend a flow gets when it begins. The same for both families.
pub trait ServiceTables {
    /// What a frontend stands for.
    fn service(&self, key: &FrontendKey) -> Option<Service>;
    /// The slot at an index.
    fn slot(&self, index: u32) -> Option<Slot>;
    /// The state of a backend.
    fn backend(&self, id: BackendId) -> Option<Backend>;
    /// What this node is; nothing while the agent has not said.
    fn node(&self) -> Option<Node>;
    /// What the network around an address is; nothing known is outside.
    fn network(&self, addr: &Addr) -> Option<Network>;
    /// Where a port of this node leads.
    fn host_port(&self, key: &FrontendKey) -> Option<HostPort>;
    /// Whether a port may be one that leads somewhere, whatever its address and protocol.
    fn may_be_host_port(&self, port: Port) -> bool;
    /// Whether a client is in a network that a ServicePort's load balancer lets in.
    fn lets_in(&self, client: &SourceKey) -> bool;
    /// The backend that a client is held to.
    fn affinity(&self, key: &AffinityKey) -> Option<Affinity>;
    /// Holds a client to a backend, whatever it was held to; false where the table refuses.
    fn hold_affinity(&self, key: &AffinityKey, affinity: &Affinity) -> bool;
    /// Seconds of silence after which a flow is forgotten, by [`crate::abi::life`]; zero where nobody
    /// has said.
    fn timeout(&self, life: u32) -> u32;
    /// The first fragment of a datagram.
    fn fragment(&self, key: &FragmentKey) -> Option<Fragmented>;
    /// Writes down a first fragment; where the table refuses, the later ones are nobody's.
    fn note_fragment(&self, key: &FragmentKey, first: &Fragmented);
    /// Adds one to a counter.
    fn count(&self, counter: Counter);
}

/// All tables a packet of one family may meet.
pub trait Tables<A: Address>: FlowTable<A> + ServiceTables {
    /// The pod of this node that has an address.
    fn pod(&self, addr: A) -> Option<Pod>;
    /// A device packets leave by.
    fn link(&self, ifindex: u32) -> Option<Link>;
    /// Where the host would route a packet that came in by the device at hand.
    fn route(&self, key: &FlowKey<A>) -> Route<A>;
    /// Whether a socket of this node would get a packet of this tuple.
    fn has_socket(&self, key: &FlowKey<A>) -> bool;
    /// Whether a pod's socket would that is connected to the packet's sender. False where the pod's
    /// namespace is not known.
    fn is_connected(&self, netns: NetnsId, key: &FlowKey<A>) -> bool;
    /// Whether a pod may have sent a datagram to no Service; it may be another pod that has.
    fn sends_datagrams(&self, pod: A) -> bool;
    /// Writes down that it has.
    fn note_datagram(&self, pod: A);
    /// Whether the address that a link's packets came from last, as far as it was noted, is this one.
    fn has_proven(&self, link: u32, source: A) -> bool;
    /// Writes it down; no other CPU need know.
    fn note_proven(&self, link: u32, source: A);
    /// Whether the pod behind a link may send from any address.
    fn is_unguarded(&self, link: u32) -> bool;
}

/// What the host's routing table says of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<A> {
    /// Out by a device, to a next hop.
    Via {
        /// The device's index.
        ifindex: u32,
        /// The neighbour to hand it to; the destination itself where it is on the link.
        next_hop: A,
    },
    /// Not by forwarding: a local address, no route, or anything else the stack shall judge.
    Stack,
}

/// Clock and random numbers, inputs like all others.
pub trait Env {
    /// Seconds of the monotonic clock.
    fn now(&self) -> u32;
    /// 32 random bits.
    fn random(&self) -> u32;
}
