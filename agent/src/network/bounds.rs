//! What a packet's destination is compared with before any table is asked: where NodePorts and
//! cluster IPs are.

use std::net::{Ipv4Addr, Ipv6Addr};

use dataplane_common::abi::Node;

use crate::node_ports::NodePorts;
use crate::service_networks::ServiceNetworks;

/// Makes the content of the table `node` say it.
#[must_use]
pub(super) fn told(node: Node, node_ports: &NodePorts, services: &ServiceNetworks) -> Node {
    // A range that nothing is in.
    let (first_node_port, last_node_port) = node_ports.range.unwrap_or((1, 0));
    let (first_service4, last_service4) =
        services.bounds4().unwrap_or((Ipv4Addr::BROADCAST, Ipv4Addr::UNSPECIFIED));
    let (first_service6, last_service6) =
        services.bounds6().unwrap_or((Ipv6Addr::LOCALHOST, Ipv6Addr::UNSPECIFIED));
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
