//! A node with pods, a Service and packets, for tests of whole walks.

use super::fake::{Fake, FixedEnv, backend_slot};
use super::outcome::Outcome;
use super::{Arrival, Departure, Ingress, Rewrite, Route, Work, arrive, leave};
use crate::abi::{
    Address, Delivery, FlowKey, Link, LinkFlags, NetnsId, Network, NetworkFlags, NetworkKind, Node,
    Pod, PodFlags, Port, Proto, Service, ServiceFlags, ServiceId, Slot, SlotFlags,
};
use crate::packet::{IpAddress, Packet, TcpFlags, Transport};

/// Runs a walk in both families with both protocols.
macro_rules! walks {
    ($($(#[$attribute:meta])* fn $name:ident<A: Host>($transport:ident: Transport) $body:block)+) => {
        $(
            $(#[$attribute])*
            #[test]
            fn $name() {
                fn walk<A: Host>($transport: Transport) $body
                for transport in [$crate::flow::world::SYN, $crate::flow::world::UDP] {
                    walk::<[u8; 4]>(transport);
                    walk::<[u8; 16]>(transport);
                }
            }
        )+
    };
}
pub(super) use walks;

pub(super) const UPLINK: u32 = 2;
/// A bridge with pods that are not ours.
pub(super) const BRIDGE: u32 = 3;
pub(super) const SYN: Transport = Transport::Tcp(TcpFlags::SYN);
pub(super) const ACK: Transport = Transport::Tcp(TcpFlags::ACK);
pub(super) const FIN: Transport = Transport::Tcp(TcpFlags(TcpFlags::FIN.0 | TcpFlags::ACK.0));
pub(super) const RST: Transport = Transport::Tcp(TcpFlags::RST);
pub(super) const UDP: Transport = Transport::Udp { checksum: true };

/// Hosts of the world, in a family.
pub(super) trait Host: IpAddress {
    fn host(net: u8, number: u8) -> Self;
    /// Two pods of this node.
    const NODE: u8 = 1;
    /// Pods of another node.
    const PEER: u8 = 2;
    /// Virtual addresses.
    const VIRTUAL: u8 = 96;

    fn client() -> Self {
        Self::host(Self::NODE, 2)
    }
    fn vip() -> Self {
        Self::host(Self::VIRTUAL, 10)
    }
    /// What the Service has from a load balancer.
    fn external() -> Self {
        Self::host(Self::VIRTUAL, 20)
    }
    fn node() -> Self {
        Self::host(77, 1)
    }
    /// Somebody who is not of the cluster.
    fn outside() -> Self {
        Self::host(203, 9)
    }
    /// A pod of this node whose link is not ours.
    fn guest() -> Self {
        Self::host(Self::NODE, 9)
    }
}

impl Host for [u8; 4] {
    fn host(net: u8, number: u8) -> Self {
        [10, net, 0, number]
    }
}

impl Host for [u8; 16] {
    fn host(net: u8, number: u8) -> Self {
        [0xfd, net, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, number]
    }
}

pub(super) fn pod(ifindex: u32) -> Pod {
    Pod {
        ifindex,
        mtu: 1400,
        pod_mac: [2, 0, 0, 0, 0, 9],
        host_mac: [2, 0, 0, 0, 0, 8],
        flags: PodFlags::default(),
        netns: NetnsId(ifindex),
    }
}

/// The port of the NodePort.
pub(super) const NODE_PORT: u16 = 30_080;
/// Source ports of masqueraded flows.
pub(super) const NAT_PORTS: [u16; 2] = [61_000, 61_999];

/// Two pods here, one there, and a Service of every protocol with one backend, at whose port it is
/// served where the protocol keeps that.
pub(super) struct World<A> {
    pub(super) tables: Fake<A>,
    pub(super) delivery: Delivery,
    pub(super) segment: u32,
    pub(super) now: u32,
    pub(super) random: u32,
}

impl<A: Host> World<A> {
    pub(super) fn new(backend: A, delivery: Delivery) -> Self {
        let tables = Fake::default();
        tables.add_pod(A::host(A::NODE, 2), pod(12));
        tables.add_pod(A::host(A::NODE, 3), pod(13));
        for (ifindex, flags) in [(UPLINK, LinkFlags::default()), (BRIDGE, LinkFlags::WORKLOADS)] {
            tables.links.lock().unwrap().insert(ifindex, Link { mtu: 1300, flags });
        }
        let via = Route::Via { ifindex: UPLINK, next_hop: A::host(A::PEER, 1) };
        for remote in [A::host(A::PEER, 4), A::outside()] {
            tables.routes.lock().unwrap().insert(remote, via);
        }
        let world = Self { tables, delivery, segment: 100, now: 1000, random: 0 };
        world.serve(backend, ServiceFlags::default());
        world.settle();
        world
    }

    /// Makes the Service, with other flags than none at its external frontends.
    pub(super) fn serve(&self, backend: A, flags: ServiceFlags) {
        let is_here = backend != A::host(A::PEER, 4);
        let flag = if is_here { SlotFlags::LOCAL } else { SlotFlags::OTHER_NODE };
        let service = Service {
            id: ServiceId(1),
            local_count: u32::from(is_here),
            cluster_count: 1,
            ..Service::default()
        };
        let external = Service { flags: ServiceFlags::EXTERNAL.union(flags), ..service };
        for (proto, port) in [(Proto::TCP, 80), (Proto::UDP, 80), (Proto::SCTP, 8080)] {
            self.tables.add_service(A::vip(), port, proto, service);
            self.tables.add_service(A::external(), port, proto, external);
            if !proto.keeps_ports() {
                self.tables.add_node_port(NODE_PORT, proto, external);
            }
        }
        self.tables.add_slot(0, Slot { flags: flag, ..backend_slot(backend, 8080, 5) });
    }

    /// Makes nobody serve.
    pub(super) fn close(&self) {
        self.change(|service| Service { local_count: 0, cluster_count: 0, ..service });
    }

    /// Makes the Service one whose internal policy is Local.
    pub(super) fn hide(&self) {
        let flags = ServiceFlags::INTERNAL_LOCAL;
        self.change(|service| Service { flags: service.flags.union(flags), ..service });
    }

    fn change(&self, change: impl Fn(Service) -> Service) {
        for service in self.tables.services.lock().unwrap().values_mut() {
            *service = change(*service);
        }
    }

    /// What the agent says of the node and of who is around it.
    fn settle(&self) {
        let ([masquerade4, masquerade6], [first_port, last_port]) =
            ([A::node().widen(); 2], NAT_PORTS);
        *self.tables.node.lock().unwrap() = Some(Node {
            masquerade6: masquerade6.0,
            masquerade4: Address::narrow(masquerade4),
            first_port,
            last_port,
            first_known_port: first_port,
            last_known_port: last_port,
            first_node_port: 30_000,
            last_node_port: 32_767,
            ..Node::default()
        });
        for (addr, kind) in [
            (A::node(), NetworkKind::OwnNode),
            (A::client(), NetworkKind::OwnPods),
            (A::guest(), NetworkKind::OwnPods),
            (A::host(A::PEER, 4), NetworkKind::OtherPods),
        ] {
            let flags = NetworkFlags::NODE_PORTS;
            let network = Network { kind: kind.number(), flags, reserved: [0; 2] };
            self.tables.networks.lock().unwrap().insert(addr.widen(), network);
        }
    }

    fn env(&self) -> FixedEnv {
        FixedEnv { now: self.now, random: self.random }
    }

    /// What becomes of a packet that a pod sends by its own link; the first pod's is anybody else's.
    pub(super) fn sent(&self, packet: &Packet<A>) -> Outcome<A> {
        self.sends(packet, &[])
    }

    /// The same with all its bytes.
    pub(super) fn sends(&self, packet: &Packet<A>, bytes: &[u8]) -> Outcome<A> {
        let link =
            self.tables.pods.lock().unwrap().get(&packet.key.src).map_or(12, |it| it.ifindex);
        self.comes(packet, Ingress::Pod, link, bytes)
    }

    /// What becomes of a packet that comes in by the uplink.
    pub(super) fn arrived(&self, packet: &Packet<A>) -> Outcome<A> {
        self.comes(packet, Ingress::Netdev, UPLINK, &[])
    }

    /// What becomes of a packet that comes in by a device, with all its bytes.
    pub(super) fn comes(
        &self,
        packet: &Packet<A>,
        by: Ingress,
        ifindex: u32,
        bytes: &[u8],
    ) -> Outcome<A> {
        let Self { delivery, segment, .. } = *self;
        let arrival = Arrival { by, ifindex, segment, delivery };
        let work = &mut Work::default();
        let verdict =
            arrive(&mut packet.clone(), &bytes, &arrival, &self.tables, &self.env(), work);
        Outcome::new(verdict, work.exit)
    }

    /// What becomes of a packet that the stack has routed.
    pub(super) fn handed(&self, packet: &Packet<A>) -> Outcome<A> {
        self.goes(packet, false, &[])
    }

    /// What becomes of a packet of the node's own.
    pub(super) fn said(&self, packet: &Packet<A>) -> Outcome<A> {
        self.goes(packet, true, &[])
    }

    /// What becomes of a packet that leaves, with all its bytes.
    pub(super) fn goes(&self, packet: &Packet<A>, own_socket: bool, bytes: &[u8]) -> Outcome<A> {
        let (departure, work) = (Departure { own_socket }, &mut Work::default());
        let verdict =
            leave(&mut packet.clone(), &bytes, departure, &self.tables, &self.env(), work);
        Outcome::new(verdict, work.exit)
    }
}

pub(super) fn packet<A: Host>(
    (src, sport): (A, u16),
    (dst, dport): (A, u16),
    transport: Transport,
) -> Packet<A> {
    let proto = match transport {
        Transport::Udp { .. } => Proto::UDP,
        Transport::Sctp(_) => Proto::SCTP,
        _ => Proto::TCP,
    };
    let (sport, dport) = (Port::new(sport), Port::new(dport));
    let key = FlowKey { src, dst, sport, dport, proto, reserved: [0; 3] };
    Packet {
        key,
        l3: 14,
        l4: 34,
        length: 100,
        ttl: 64,
        may_fragment: false,
        more_fragments: 0,
        transport,
    }
}

/// The rewrite of `packet` into one between two sockets.
pub(super) fn rewrite<A: Host>(
    packet: &Packet<A>,
    src: (A, u16),
    dst: (A, u16),
    routed: bool,
) -> Rewrite<A> {
    let to = self::packet(src, dst, packet.transport).key;
    Rewrite { from: packet.key, to, routed }
}

/// What is redirected out of the uplink, to who is behind its gateway.
pub(super) fn neighbour<A: Host>(rewrite: Rewrite<A>) -> Outcome<A> {
    Outcome::Neighbour { rewrite, ifindex: UPLINK, next_hop: A::host(A::PEER, 1) }
}

pub(super) fn peer<A: Host>(ifindex: u32, rewrite: Rewrite<A>) -> Outcome<A> {
    let Pod { pod_mac, host_mac, .. } = pod(ifindex);
    Outcome::Peer { rewrite, ifindex, pod_mac, host_mac }
}
