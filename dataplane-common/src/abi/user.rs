//! What lets user space read and write these types as map keys and values.

use super::{
    Addr, Affinity, AffinityKey, Backend, FlowEntry, FlowKey, FragmentKey, Fragmented, FrontendKey,
    HostPort, Link, Meta, Network, Node, NodeConfig, Pod, Service, Slot, SocketEntry, SocketKey,
    SourceKey,
};

/// Every field of these types is an integer or an array of integers, so any bit pattern is valid,
/// and every gap is a named field, so no byte is uninitialised.
macro_rules! pod {
    ($($type:ty),+ $(,)?) => {
        $(
            // SAFETY: see the macro's own words; the types are `repr(C)` or transparent, `Copy`
            // and `'static`.
            unsafe impl aya::Pod for $type {}
        )+
    };
}

pod!(
    Addr,
    Affinity,
    AffinityKey,
    Backend,
    FlowEntry<[u8; 4]>,
    FlowEntry<[u8; 16]>,
    FlowKey<[u8; 4]>,
    FlowKey<[u8; 16]>,
    FragmentKey,
    Fragmented,
    FrontendKey,
    HostPort,
    Link,
    Meta,
    Network,
    Node,
    NodeConfig,
    Pod,
    Service,
    Slot,
    SocketEntry,
    SocketKey,
    SourceKey,
);
