//! Names and sizes of maps, programs and pins.
//!
//! ```text
//! <bpf root>/abi-8/maps/<map>            maps
//! <bpf root>/abi-8/programs/<program>    programs, which the CNI plugin attaches to new pods
//! <bpf root>/abi-8/links/<index>-<in|out>    TCX links (kernels without TCX: the device's own filters)
//! <bpf root>/abi-8/links/cgroup-<program>    links to the cgroup of the node's processes
//! ```

/// Number of the layout that this crate describes; another number is another folder of pins.
pub const ABI: u32 = 8;

/// Hash, [`super::FrontendKey`] to [`super::Service`], not preallocated: a replaced value is freed
/// after a grace period instead of being reused under a reader.
pub const SERVICES: &str = "services";
/// Array of [`super::Slot`].
pub const SLOTS: &str = "slots";
/// Array of [`super::Backend`], by [`super::BackendId`].
pub const BACKENDS: &str = "backends";
/// LRU hash, `FlowKey<[u8; 4]>` to `FlowEntry<[u8; 4]>`.
pub const FLOWS4: &str = "flows4";
/// LRU hash, `FlowKey<[u8; 16]>` to `FlowEntry<[u8; 16]>`.
pub const FLOWS6: &str = "flows6";
/// Hash, [`super::Addr`] to [`super::Pod`].
pub const PODS: &str = "pods";
/// Hash, interface index to [`super::Link`].
pub const LINKS: &str = "links";
/// Per-CPU array of u64, by [`super::Counter::index`].
pub const COUNTERS: &str = "counters";
/// Array of one [`super::Meta`].
pub const META: &str = "meta";

/// Array of one [`super::Node`].
pub const NODE: &str = "node";
/// LPM trie, prefixes of [`super::Addr`] to [`super::Network`].
pub const NETWORKS: &str = "networks";
/// LRU hash, [`super::AffinityKey`] to [`super::Affinity`].
pub const AFFINITIES: &str = "affinities";

/// LRU hash, [`super::SocketKey`] to [`super::SocketEntry`].
pub const SOCKETS: &str = "sockets";

/// LPM trie, prefixes of [`super::SourceKey`] to a u32 without meaning.
pub const SOURCES: &str = "sources";

/// LRU hash, [`super::FragmentKey`] to [`super::Fragmented`].
pub const FRAGMENTS: &str = "fragments";

/// Array of u32, seconds by [`super::life`].
pub const TIMEOUTS: &str = "timeouts";

/// Hash, interface index to a u32 without meaning: pods' links whose pods may send from any address.
pub const UNGUARDED: &str = "unguarded";

/// Hash, [`super::FrontendKey`] to [`super::HostPort`].
pub const HOST_PORTS: &str = "host_ports";

/// Array of u32, whether there may be a host port, by [`super::HostPort::mark`].
pub const HOST_PORT_MARKS: &str = "host_port_marks";

/// Every map that is pinned.
pub const MAPS: [&str; 19] = [
    SERVICES,
    SLOTS,
    BACKENDS,
    FLOWS4,
    FLOWS6,
    PODS,
    LINKS,
    COUNTERS,
    META,
    NODE,
    NETWORKS,
    AFFINITIES,
    SOCKETS,
    SOURCES,
    FRAGMENTS,
    TIMEOUTS,
    UNGUARDED,
    HOST_PORTS,
    HOST_PORT_MARKS,
];

/// tc program at the host side of a pod's link, ingress: what the pod sends.
pub const FROM_POD: &str = "from_pod";
/// tc program at the host side of a pod's link, egress: what the stack hands to the pod.
pub const TO_POD: &str = "to_pod";
/// tc program at an uplink or tunnel, ingress.
pub const FROM_NETDEV: &str = "from_netdev";

/// tc program at an uplink or tunnel without link-layer headers (wireguard, tun, ppp), ingress:
/// [`FROM_NETDEV`] for packets that begin with their IP header.
pub const FROM_L3DEV: &str = "from_l3dev";

/// tc program at any device that is no pod's link, egress: what leaves the host by it.
pub const TO_NETDEV: &str = "to_netdev";

/// [`TO_NETDEV`] at a device without link-layer headers.
pub const TO_L3DEV: &str = "to_l3dev";

/// Every tc program that is pinned.
pub const PROGRAMS: [&str; 6] = [FROM_POD, TO_POD, FROM_NETDEV, FROM_L3DEV, TO_NETDEV, TO_L3DEV];

/// Every program at the cgroup of the node's processes, by the call it is asked about. Pinned too.
pub const SOCKET_PROGRAMS: [&str; 8] = [
    "connect4",
    "connect6",
    "sendmsg4",
    "sendmsg6",
    "recvmsg4",
    "recvmsg6",
    "getpeername4",
    "getpeername6",
];

/// Value of a packet's `tc_index` that says, between a redirect and the egress of the device it
/// leads to, that everything has been done to the packet. [`TO_NETDEV`] makes it zero again.
pub const DONE: u32 = 0x5747;

/// Read-only global that holds [`super::NodeConfig`].
pub const CONFIG: &str = "CONFIG";

/// Most frontends.
pub const MAX_SERVICES: u32 = 65_536;
/// Most slots over all extents.
pub const MAX_SLOTS: u32 = 262_144;
/// Most backends over all ServicePorts.
pub const MAX_BACKENDS: u32 = 262_144;
/// Most conntrack entries of one family, two for each flow.
pub const MAX_FLOWS: u32 = 262_144;
/// Most addresses of local pods.
pub const MAX_PODS: u32 = 8_192;
/// Most devices packets leave by.
pub const MAX_LINKS: u32 = 1_024;

/// Most pods that may send from any address.
pub const MAX_UNGUARDED: u32 = 1_024;
/// Most networks: each node of a cluster has some.
pub const MAX_NETWORKS: u32 = 65_536;
/// Most clients that are held to a backend.
pub const MAX_AFFINITIES: u32 = 65_536;
/// Most peers of sockets, two for each UDP socket.
pub const MAX_SOCKETS: u32 = 65_536;
/// Most datagrams of which fragments are on their way, counted at each hook.
pub const MAX_FRAGMENTS: u32 = 8_192;
/// Most networks of clients that load balancers' addresses let in, each ServicePort's its own.
pub const MAX_SOURCES: u32 = 65_536;
/// Most ports of the node that lead to pods, each address and protocol its own.
pub const MAX_HOST_PORTS: u32 = 8_192;
/// Elements of `host_port_marks`. Ports that share one cost each other a look-up.
pub const MAX_HOST_PORT_MARKS: u32 = 4_096;

/// Priority of our filters where TCX is missing: behind nobody who asks for an early place, ahead
/// of those who leave the choice to the kernel (which counts down from 49152).
pub const TC_PRIORITY: u16 = 0x5747;
/// Handle of our filters where TCX is missing.
pub const TC_HANDLE: u32 = 0x5747;
