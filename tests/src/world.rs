//! A node small enough to see through: two pods, one uplink, one Service.

use std::net::{IpAddr, SocketAddr};

use dataplane_common::abi::{
    Addr, Backend, BackendId, BackendState, FrontendKey, FrontendKind, IPV4_PREFIX, Link,
    LinkFlags, NetnsId, Network, NetworkFlags, NetworkKind, Node, NodeFlags, Pod, PodFlags, Port,
    Proto, Scopes, Service, ServiceFlags, ServiceId, Slot, SlotFlags,
};
use dataplane_common::flow::Route;
use waggle_agent::maps::{Bounds, LbMaps as _, Source, fake::FakeMaps};

pub use crate::net::Net;

/// The Service's port, but for SCTP: that one is its backends' port.
pub const FRONTEND_PORT: u16 = 80;
/// Its port at every node.
pub const NODE_PORT: u16 = 30_080;
/// Source ports of masqueraded flows.
pub const NAT_PORTS: [u16; 2] = [61_000, 61_999];
/// Its backends' port.
pub const BACKEND_PORT: u16 = 8080;
/// MTU of each device unless a test says otherwise.
pub const MTU: u32 = 1500;

/// The interface indexes of the node's devices.
#[derive(Clone, Copy, Debug)]
pub struct Devices {
    /// Host side of the client's link.
    pub client: u32,
    /// Host side of the local backend's link.
    pub local: u32,
    /// The uplink.
    pub uplink: u32,
}

/// What the tables hold.
#[derive(Clone, Debug)]
pub struct World {
    /// Addresses.
    pub net: Net,
    /// Devices.
    pub devices: Devices,
    /// Who serves, in the order of their slots and ids from 1.
    pub backends: Vec<IpAddr>,
    /// What the backends are.
    pub state: BackendState,
    /// MTU of the pods' links and of the uplink.
    pub mtu: u32,
    /// Switches of each pod.
    pub flags: PodFlags,
    /// Whether the pod that can serve is no more.
    pub is_gone: bool,
    /// Switches of the uplink.
    pub uplink: LinkFlags,
    /// Switches of the frontend that pods address.
    pub internal: ServiceFlags,
    /// Switches of the node, beside those that follow from the others.
    pub node_flags: NodeFlags,
    /// Switches of the networks of this node's pods.
    pub pod_networks: NetworkFlags,
    /// The clients that the load balancer's address lets in; nothing lets in all.
    pub sources: Vec<IpAddr>,
    /// Switches of the frontends that clients outside address, beside being such.
    pub external: ServiceFlags,
    /// Seconds of session affinity; 0 is none.
    pub affinity_seconds: u32,
    /// The first source port of masqueraded flows; they end with [`NAT_PORTS`].
    pub first_port: u16,
    /// Ports that sockets of the node have. Where there are any, sockets and masqueraded flows share
    /// their ports.
    pub sockets: Vec<u16>,
    /// Whether the client may send from any address.
    pub is_unguarded: bool,
    /// Where the sockets of pods are.
    pub netns: NetnsId,
    /// Connected sockets there, of TCP and of UDP: their own end and their peer's.
    pub connected: Vec<(SocketAddr, SocketAddr)>,
}

impl World {
    /// A world in which one backend serves.
    #[must_use]
    pub fn new(net: Net, devices: Devices, backend: IpAddr) -> Self {
        Self {
            net,
            devices,
            backends: vec![backend],
            state: BackendState::Active,
            mtu: MTU,
            flags: PodFlags::default(),
            is_gone: false,
            uplink: LinkFlags::default(),
            internal: ServiceFlags::default(),
            node_flags: NodeFlags::default(),
            pod_networks: NetworkFlags::default(),
            sources: Vec::new(),
            external: ServiceFlags::default(),
            affinity_seconds: 0,
            first_port: NAT_PORTS[0],
            sockets: Vec::new(),
            is_unguarded: false,
            netns: NetnsId::default(),
            connected: Vec::new(),
        }
    }

    /// The map `unguarded`.
    #[must_use]
    pub fn unguarded(&self) -> Vec<(u32, u32)> {
        if self.is_unguarded { vec![(self.devices.client, 0)] } else { Vec::new() }
    }

    /// The map `services`.
    #[must_use]
    pub fn services(&self) -> Vec<(FrontendKey, Service)> {
        let count = |all: bool| {
            let counted = self.backends.iter().filter(|backend| all || self.is_here(**backend));
            u32::try_from(counted.count()).expect("few backends")
        };
        let service = Service {
            id: ServiceId(1),
            base: 1,
            local_count: count(false),
            cluster_count: count(true),
            affinity_seconds: self.affinity_seconds,
            flags: self.internal,
            ..Service::default()
        };
        let external = Service { flags: ServiceFlags::EXTERNAL.union(self.external), ..service };
        let balanced = Service { flags: external.flags.union(self.ranges()), ..external };
        let any = match self.net.node {
            IpAddr::V4(_) => Addr::from(IpAddr::from([0; 4])),
            IpAddr::V6(_) => Addr([0; 16]),
        };
        let mut services = Vec::new();
        let ports = [FRONTEND_PORT, FRONTEND_PORT, BACKEND_PORT];
        for (proto, own) in [Proto::TCP, Proto::UDP, Proto::SCTP].into_iter().zip(ports) {
            let key = |addr, port, kind: FrontendKind| FrontendKey {
                addr,
                port: Port::new(port),
                proto,
                kind: kind.number(),
            };
            let exact = |addr: IpAddr| key(addr.into(), own, FrontendKind::Exact);
            services.push((exact(self.net.vip), service));
            services.push((exact(self.net.external), balanced));
            if !proto.keeps_ports() {
                services.push((key(any, NODE_PORT, FrontendKind::AnyNode), external));
            }
        }
        services.extend(self.marks());
        services
    }

    /// What says that an address has frontends.
    fn marks(&self) -> [(FrontendKey, Service); 2] {
        let cluster_ip = (self.net.vip, ServiceFlags::CLUSTER_IP);
        [cluster_ip, (self.net.external, ServiceFlags::default())].map(|(addr, flags)| {
            let (addr, kind) = (Addr::from(addr), FrontendKind::Address.number());
            let key = FrontendKey { addr, port: Port::new(0), proto: Proto(0), kind };
            (key, Service { flags, ..Service::default() })
        })
    }

    fn ranges(&self) -> ServiceFlags {
        if self.sources.is_empty() { ServiceFlags::default() } else { ServiceFlags::SOURCE_RANGES }
    }

    fn is_here(&self, backend: IpAddr) -> bool {
        let Net { client, local, node, .. } = self.net;
        [client, local, node].contains(&backend)
    }

    /// The array `node`.
    #[must_use]
    pub fn node(&self) -> Node {
        let mut node = Node {
            first_port: self.first_port,
            last_port: NAT_PORTS[1],
            first_known_port: NAT_PORTS[0],
            last_known_port: NAT_PORTS[1],
            first_node_port: 30_000,
            last_node_port: 32_767,
            ..Node::default()
        };
        node.flags = self.node_flags;
        if !self.sockets.is_empty() {
            node.flags = node.flags.union(NodeFlags::SHARED_PORTS);
        }
        for net in Net::both() {
            match (net.vip, net.unallocated) {
                (IpAddr::V4(first), IpAddr::V4(last)) => {
                    (node.first_service4, node.last_service4) = (first.octets(), last.octets());
                }
                (IpAddr::V6(first), IpAddr::V6(last)) => {
                    (node.first_service6, node.last_service6) = (first.octets(), last.octets());
                }
                (first, last) => unreachable!("cluster IPs from {first} to {last}"),
            }
            match (net.node, net.client, net.local) {
                (IpAddr::V4(address), IpAddr::V4(first), IpAddr::V4(last)) => {
                    node.masquerade4 = address.octets();
                    (node.first_pod4, node.last_pod4) = (first.octets(), last.octets());
                }
                (IpAddr::V6(address), IpAddr::V6(first), IpAddr::V6(last)) => {
                    node.masquerade6 = address.octets();
                    (node.first_pod6, node.last_pod6) = (first.octets(), last.octets());
                }
                (address, first, last) => unreachable!("{address}, pods from {first} to {last}"),
            }
        }
        node
    }

    /// The trie `networks`, each network one address.
    #[must_use]
    pub fn networks(&self) -> Vec<((Addr, u32), Network)> {
        let network = |(addr, kind): (IpAddr, NetworkKind)| {
            let bits = if addr.is_ipv4() { IPV4_PREFIX + 32 } else { 128 };
            let flags = match kind {
                NetworkKind::OwnPods => NetworkFlags::NODE_PORTS.union(self.pod_networks),
                _ => NetworkFlags::NODE_PORTS,
            };
            let network = Network { kind: kind.number(), flags, reserved: [0; 2] };
            ((Addr::from(addr), bits), network)
        };
        self.net.networks().map(network).to_vec()
    }

    /// The array `slots` from index 1 on.
    #[must_use]
    pub fn slots(&self) -> Vec<Slot> {
        let flags = |addr| match addr {
            addr if self.is_here(addr) => SlotFlags::LOCAL,
            addr if addr == self.net.stranger => SlotFlags::default(),
            _ => SlotFlags::OTHER_NODE,
        };
        let slot = |(id, addr): (u32, &IpAddr)| Slot {
            addr: Addr::from(*addr),
            port: Port::new(BACKEND_PORT),
            generation: 1,
            backend: BackendId(id),
            flags: flags(*addr),
        };
        (1..).zip(&self.backends).map(slot).collect()
    }

    /// The array `backends` from index 1 on.
    #[must_use]
    pub fn states(&self) -> Vec<Backend> {
        let backend = Backend {
            generation: 1,
            state: self.state.number(),
            scopes: Scopes::LOCAL.union(Scopes::CLUSTER),
        };
        vec![backend; self.backends.len()]
    }

    /// The map `pods`.
    #[must_use]
    pub fn pods(&self) -> Vec<(Addr, Pod)> {
        let Self { net, devices, mtu, flags, netns, .. } = *self;
        [(net.client, devices.client, 0xc1), (net.local, devices.local, 0x10)]
            .into_iter()
            .filter(|(address, ..)| !self.is_gone || *address == net.client)
            .map(|(address, ifindex, last)| {
                let (pod_mac, host_mac) = ([0x0a, 1, 0, 0, 0, last], [0x0a, 2, 0, 0, 0, last]);
                (Addr::from(address), Pod { ifindex, mtu, pod_mac, host_mac, flags, netns })
            })
            .collect()
    }

    /// The hardware addresses of a frame that is redirected into a pod: destination, source.
    ///
    /// # Panics
    /// When the address is no pod's.
    #[must_use]
    pub fn macs_to(&self, pod: IpAddr) -> ([u8; 6], [u8; 6]) {
        let found = self.pods().into_iter().find(|(addr, _)| *addr == Addr::from(pod));
        found.map(|(_, pod)| (pod.pod_mac, pod.host_mac)).expect("a pod of this node")
    }

    /// The map `links`.
    #[must_use]
    pub fn links(&self) -> Vec<(u32, Link)> {
        vec![(self.devices.uplink, Link { mtu: self.mtu, flags: self.uplink })]
    }

    /// The same in memory, with the routes that a sandbox has.
    ///
    /// # Panics
    /// Never: the maps are large enough.
    #[must_use]
    pub fn in_memory(&self) -> FakeMaps {
        let mut maps = FakeMaps::new();
        for (key, service) in self.services() {
            maps.put_service(&key, &service).expect("room for three");
        }
        maps.write_slots(1, &self.slots()).expect("room for few");
        for client in &self.sources {
            let source = Source { service: ServiceId(1), network: (*client).into() };
            maps.put_source(source).expect("room for few");
        }
        for (id, state) in (1..).map(BackendId).zip(self.states()) {
            maps.write_backend(id, &state).expect("room for few");
        }
        maps.pods.extend(self.pods());
        maps.unguarded.extend(self.unguarded().into_iter().map(|(link, _)| link));
        maps.links.extend(self.links());
        let node = self.node();
        maps.bounds = bounds(&node);
        maps.node = Some(node);
        maps.networks.extend(self.networks());
        maps.sockets = self.sockets.iter().copied().map(Port::new).collect();
        for proto in [Proto::TCP, Proto::UDP] {
            let end = |end: SocketAddr| (Addr::from(end.ip()), Port::new(end.port()));
            let socket = |(own, peer): &(_, _)| (self.netns, proto, end(*own), end(*peer));
            maps.connected.extend(self.connected.iter().map(socket));
        }
        let ifindex = self.devices.uplink;
        for to in [self.net.remote, self.net.outside] {
            match (to, self.net.gateway) {
                (IpAddr::V4(to), IpAddr::V4(by)) => {
                    let route = Route::Via { ifindex, next_hop: by.octets() };
                    maps.routes4.insert(to.octets(), route);
                }
                (IpAddr::V6(to), IpAddr::V6(by)) => {
                    let route = Route::Via { ifindex, next_hop: by.octets() };
                    maps.routes6.insert(to.octets(), route);
                }
                (to, by) => unreachable!("a route to {to} by {by}"),
            }
        }
        maps
    }
}

/// The bounds that stand in a node.
fn bounds(node: &Node) -> Bounds {
    Bounds {
        node_ports: Some((node.first_node_port, node.last_node_port)),
        services4: Some((node.first_service4.into(), node.last_service4.into())),
        services6: Some((node.first_service6.into(), node.last_service6.into())),
    }
}
