//! Frontends. Their form is the map's own key.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;

use dataplane_common::abi::{Addr, Family, FrontendKey, FrontendKind, Port, Proto, ServiceFlags};

use super::Protocol;

/// How a frontend is served, beside the backends that it shares with the others of its ServicePort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frontend {
    /// What it is.
    pub role: Role,
    /// Its switches.
    pub flags: ServiceFlags,
}

/// What a frontend is to its Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Its own address.
    ClusterIp,
    /// A port of every node.
    NodePort,
    /// An address of a load balancer.
    LoadBalancer,
    /// An address that its author lets lead to it.
    ExternalIp,
}

impl Role {
    /// As the API spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClusterIp => "clusterIP",
            Self::NodePort => "nodePort",
            Self::LoadBalancer => "loadBalancer",
            Self::ExternalIp => "externalIP",
        }
    }
}

/// `10.96.0.1:443/TCP`, `[fd00::1]:53/UDP`; a NodePort is one of its family's unspecified address.
#[must_use]
pub fn frontend_text(key: &FrontendKey) -> String {
    let at = SocketAddr::new(key.addr.to_ip(), key.port.number());
    match key.proto {
        Proto::TCP => format!("{at}/TCP"),
        Proto::UDP => format!("{at}/UDP"),
        Proto::SCTP => format!("{at}/SCTP"),
        Proto(number) => format!("{at}/{number}"),
    }
}

/// The address that stands for all of a node's in the keys of NodePorts.
pub(crate) fn any_node(family: Family) -> Addr {
    Addr::from(match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    })
}

/// The lowest and the highest NodePort among frontends, found without looking at all of them.
#[must_use]
pub fn node_port_range<V>(frontends: &BTreeMap<FrontendKey, V>) -> Option<(u16, u16)> {
    let ends = [Family::V4, Family::V6].into_iter().filter_map(|family| {
        let mut ports =
            frontends.range(keys_at(any_node(family))).map(|(key, _)| key.port.number());
        let first = ports.next()?;
        Some((first, ports.next_back().unwrap_or(first)))
    });
    ends.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
}

/// The NodePorts among frontends.
pub(crate) fn node_ports<V>(frontends: &BTreeMap<FrontendKey, V>) -> BTreeSet<(u16, Protocol)> {
    let families = [Family::V4, Family::V6].into_iter();
    let keys = families.flat_map(|family| frontends.range(keys_at(any_node(family))));
    let port = |key: &FrontendKey| match key.proto {
        Proto::TCP => Some((key.port.number(), Protocol::Tcp)),
        Proto::UDP => Some((key.port.number(), Protocol::Udp)),
        Proto::SCTP => Some((key.port.number(), Protocol::Sctp)),
        _ => None,
    };
    keys.filter_map(|(key, _)| port(key)).collect()
}

/// All keys that an address can have.
pub(crate) const fn keys_at(addr: Addr) -> RangeInclusive<FrontendKey> {
    let first = FrontendKey { addr, port: Port::new(0), proto: Proto(0), kind: 0 };
    let (port, proto, kind) = (Port::new(u16::MAX), Proto(u8::MAX), u8::MAX);
    first..=FrontendKey { port, proto, kind, ..first }
}

/// Whether a frontend has an address of its own, as NodePorts have not.
pub(crate) fn is_exact(key: &FrontendKey) -> bool {
    key.kind == FrontendKind::Exact.number()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node_port(family: Family, port: u16) -> FrontendKey {
        let kind = FrontendKind::AnyNode.number();
        FrontendKey { addr: any_node(family), port: Port::new(port), proto: Proto::TCP, kind }
    }

    fn exact(addr: &str) -> FrontendKey {
        let addr = Addr::from(addr.parse::<IpAddr>().unwrap());
        let (port, kind) = (Port::new(1), FrontendKind::Exact.number());
        FrontendKey { addr, port, proto: Proto::UDP, kind }
    }

    #[test]
    fn the_range_of_node_ports_spans_both_families_and_nothing_else() {
        let (v4, v6) = (Family::V4, Family::V6);
        for (name, ports, expected) in [
            ("none", vec![], None),
            ("one", vec![(v4, 30_080)], Some((30_080, 30_080))),
            ("one of IPv6", vec![(v6, 30_080)], Some((30_080, 30_080))),
            ("two", vec![(v4, 30_001), (v4, 32_000)], Some((30_001, 32_000))),
            ("both", vec![(v4, 300), (v4, 31_000), (v6, 256), (v6, 511)], Some((256, 31_000))),
        ] {
            let node_ports = ports.into_iter().map(|(family, port)| node_port(family, port));
            let others = ["0.0.0.1", "::1", "10.96.0.1", "fd00::1"].map(exact);
            let frontends = node_ports.chain(others).map(|key| (key, ())).collect();
            assert_eq!(node_port_range(&frontends), expected, "{name}");
        }
    }
}
