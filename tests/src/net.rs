//! Addresses of a small world, in both families.

use std::net::{IpAddr, SocketAddr};

use dataplane_common::abi::NetworkKind;

use crate::world::{FRONTEND_PORT, NODE_PORT};

/// The addresses of one family.
#[derive(Clone, Copy, Debug)]
pub struct Net {
    /// A pod of this node that uses the Service.
    pub client: IpAddr,
    /// A pod of this node that can serve it.
    pub local: IpAddr,
    /// A pod of another node that can serve it.
    pub remote: IpAddr,
    /// The Service's address.
    pub vip: IpAddr,
    /// An address of the same kind that no Service has.
    pub unallocated: IpAddr,
    /// This node.
    pub node: IpAddr,
    /// The other node.
    pub gateway: IpAddr,
    /// The Service's address at a load balancer.
    pub external: IpAddr,
    /// A client outside the cluster.
    pub outside: IpAddr,
    /// Somebody who has nothing to do with it.
    pub stranger: IpAddr,
    /// What a pod sees in place of itself.
    pub hairpin: IpAddr,
}

impl Net {
    /// IPv4 and IPv6.
    #[must_use]
    pub fn both() -> [Self; 2] {
        [
            "10.1.1.2 10.1.1.3 10.1.2.3 10.96.0.10 10.96.0.11 192.0.2.1 192.0.2.2 198.51.100.20 \
             198.51.100.9 203.0.113.9 169.254.7.1",
            "fd01:1::2 fd01:1::3 fd01:2::3 fd96::a fd96::b fd00:2::1 fd00:2::2 fd00:3::20 fd00:3::9 \
             2001:db8::9 fd57:6167:676c:6500::1",
        ]
        .map(|texts| {
            let mut addresses = texts.split(' ').map(|text| text.parse().expect("an address"));
            let mut next = || addresses.next().expect("eleven addresses");
            Self {
                client: next(),
                local: next(),
                remote: next(),
                vip: next(),
                unallocated: next(),
                node: next(),
                gateway: next(),
                external: next(),
                outside: next(),
                stranger: next(),
                hairpin: next(),
            }
        })
    }

    /// The Service as clients address it.
    #[must_use]
    pub fn frontend(&self) -> SocketAddr {
        SocketAddr::new(self.vip, FRONTEND_PORT)
    }

    /// The Service as clients outside address it: by its load balancer, and by this node.
    #[must_use]
    pub fn entrances(&self) -> [SocketAddr; 2] {
        [SocketAddr::new(self.external, FRONTEND_PORT), SocketAddr::new(self.node, NODE_PORT)]
    }

    /// Who is where: of this node, of others, and their pods.
    pub(crate) fn networks(&self) -> [(IpAddr, NetworkKind); 6] {
        [
            (self.unallocated, NetworkKind::Services),
            (self.node, NetworkKind::OwnNode),
            (self.client, NetworkKind::OwnPods),
            (self.local, NetworkKind::OwnPods),
            (self.gateway, NetworkKind::OtherNode),
            (self.remote, NetworkKind::OtherPods),
        ]
    }
}
