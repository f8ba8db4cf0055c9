//! The ways to the Services of manifests/demo/services.yaml.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use xtask::{topology::NodeAddresses, workload::Protocol};

/// A Service at an address of each family.
#[derive(Clone, Copy, Debug)]
pub(super) struct Service {
    pub(super) name: &'static str,
    v4: Ipv4Addr,
    v6: Ipv6Addr,
    tcp: u16,
    udp: u16,
}

/// Three pods on three nodes.
pub(super) const WEB: Service = at_cluster_ip("web", 0x80);

/// The pod that asks.
pub(super) const SOLO: Service = at_cluster_ip("solo", 0x81);

/// The pods of `web`, each client with one of them.
pub(super) const STICKY: Service = at_cluster_ip("sticky", 0x82);

/// The pods of `web`, for the world.
pub(super) const PUBLIC: Service = Service {
    name: "public",
    v4: Ipv4Addr::new(198, 51, 100, 80),
    v6: Ipv6Addr::new(0xfdc6, 0, 0, 0, 0, 0, 0, 0x80),
    tcp: 80,
    udp: 53,
};

/// The NodePorts of `public`, TCP and UDP.
pub(super) const PUBLIC_PORTS: [u16; 2] = [30080, 30053];

/// The NodePorts of `local`, TCP and UDP.
pub(super) const LOCAL_PORTS: [u16; 2] = [30180, 30153];

/// One way to a Service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    service: &'static str,
    pub(super) protocol: Protocol,
    pub(super) address: SocketAddr,
}

/// The last parts of both addresses look alike: `.80` and `::80`.
const fn at_cluster_ip(name: &'static str, number: u8) -> Service {
    let decimal = number / 16 * 10 + number % 16;
    Service {
        name,
        v4: Ipv4Addr::new(10, 96, 0, decimal),
        v6: Ipv6Addr::new(0xfd00, 0x10, 0x96, 0, 0, 0, 0, number as u16),
        tcp: 80,
        udp: 53,
    }
}

impl Service {
    /// A Service at the NodePorts of a node.
    pub(super) fn at_node(name: &'static str, node: NodeAddresses, [tcp, udp]: [u16; 2]) -> Self {
        let NodeAddresses { v4, v6 } = node;
        Self { name, v4, v6, tcp, udp }
    }

    /// Each protocol over each family.
    pub(super) fn ways(&self) -> [Way; 4] {
        let &Self { name, v4, v6, tcp, udp } = self;
        let way = |protocol, ip: IpAddr| {
            let port = match protocol {
                Protocol::Tcp => tcp,
                Protocol::Udp => udp,
            };
            Way { service: name, protocol, address: SocketAddr::new(ip, port) }
        };
        [
            way(Protocol::Tcp, v4.into()),
            way(Protocol::Udp, v4.into()),
            way(Protocol::Tcp, v6.into()),
            way(Protocol::Udp, v6.into()),
        ]
    }
}

impl Way {
    /// As it is called on the board.
    pub(super) fn label(&self) -> String {
        let protocol = match self.protocol {
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
        };
        format!("{} {protocol} {}", self.service, self.address)
    }
}
