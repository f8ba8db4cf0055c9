//! What a packet's destination is compared with before any table is asked: where NodePorts and
//! cluster IPs are.

use std::net::{Ipv4Addr, Ipv6Addr};

use dataplane_common::abi::Node;

/// Where frontends are that packets for this node's own addresses, or for those of Services, may
/// mean. The lowest and the highest of each, if there is any; what is beside is not looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Bounds {
    /// Ports of NodePorts.
    pub node_ports: Option<(u16, u16)>,
    /// Addresses of IPv4 that are or can be cluster IPs.
    pub services4: Option<(Ipv4Addr, Ipv4Addr)>,
    /// Addresses of IPv6 that are or can be cluster IPs.
    pub services6: Option<(Ipv6Addr, Ipv6Addr)>,
}

impl Bounds {
    /// Makes the content of the table `node` say it.
    #[must_use]
    pub fn told(&self, node: Node) -> Node {
        // Ranges that nothing is in.
        let (first_node_port, last_node_port) = self.node_ports.unwrap_or((1, 0));
        let (first_service4, last_service4) =
            self.services4.unwrap_or((Ipv4Addr::BROADCAST, Ipv4Addr::UNSPECIFIED));
        let (first_service6, last_service6) =
            self.services6.unwrap_or((Ipv6Addr::LOCALHOST, Ipv6Addr::UNSPECIFIED));
        Node {
            first_node_port,
            last_node_port,
            first_service6: first_service6.octets(),
            last_service6: last_service6.octets(),
            first_service4: first_service4.octets(),
            last_service4: last_service4.octets(),
            ..node
        }
    }
}
