//! A node with pods, a Service and packets, for tests of whole walks.

use super::fake::{Fake, FixedEnv, backend_slot};
use super::{Arrival, Rewrite, Route, Verdict, Work, from_netdev, from_pod, to_pod};
use crate::abi::{Delivery, FlowKey, Link, Pod, PodFlags, Port, Proto, Service, ServiceId};
use crate::packet::{IpAddress, Packet, TcpFlags, Transport};

pub(super) const UPLINK: u32 = 2;
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
    }
}

/// Two pods here, one there, and a Service of both protocols with one backend.
pub(super) struct World<A> {
    pub(super) tables: Fake<A>,
    pub(super) arrival: Arrival,
    pub(super) now: u32,
}

impl<A: Host> World<A> {
    pub(super) fn new(backend: A, delivery: Delivery) -> Self {
        let tables = Fake::default();
        tables.add_pod(A::host(A::NODE, 2), pod(12));
        tables.add_pod(A::host(A::NODE, 3), pod(13));
        tables.links.lock().unwrap().insert(UPLINK, Link { mtu: 1300, ..Link::default() });
        let via = Route::Via { ifindex: UPLINK, next_hop: A::host(A::PEER, 1) };
        tables.routes.lock().unwrap().insert(A::host(A::PEER, 4), via);
        let service = Service { id: ServiceId(1), cluster_count: 1, ..Service::default() };
        for proto in [Proto::TCP, Proto::UDP] {
            tables.add_service(A::vip(), 80, proto, service);
        }
        tables.add_slot(0, backend_slot(backend, 8080, 5));
        Self { tables, arrival: Arrival { segment: 100, delivery }, now: 1000 }
    }

    fn env(&self) -> FixedEnv {
        FixedEnv { now: self.now, random: 0 }
    }

    pub(super) fn sent(&self, packet: &Packet<A>) -> Verdict<A> {
        from_pod(packet, &&[][..], &self.arrival, &self.tables, &self.env(), &mut Work::default())
    }

    pub(super) fn arrived(&self, packet: &Packet<A>) -> Verdict<A> {
        from_netdev(packet, &self.arrival, &self.tables, &self.env(), &mut Work::default())
    }

    pub(super) fn handed(&self, packet: &Packet<A>) -> Verdict<A> {
        to_pod(packet, &&[][..], &self.tables, &self.env(), &mut Work::default())
    }
}

pub(super) fn packet<A: Host>(
    (src, sport): (A, u16),
    (dst, dport): (A, u16),
    transport: Transport,
) -> Packet<A> {
    let proto = if matches!(transport, Transport::Udp { .. }) { Proto::UDP } else { Proto::TCP };
    let (sport, dport) = (Port::new(sport), Port::new(dport));
    let key = FlowKey { src, dst, sport, dport, proto, reserved: [0; 3] };
    Packet { key, l3: 14, l4: 34, length: 100, ttl: 64, may_fragment: false, transport }
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

pub(super) fn peer<A: Host>(ifindex: u32, rewrite: Rewrite<A>) -> Verdict<A> {
    let Pod { pod_mac, host_mac, .. } = pod(ifindex);
    Verdict::Peer { rewrite, ifindex, pod_mac, host_mac }
}
