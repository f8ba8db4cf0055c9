//! Services.

use std::fmt;
use std::net::IpAddr;

use dataplane_common::abi::Proto;
use ipnetwork::IpNetwork;

use super::Name;

/// The parts of a Service that can change what is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSpec {
    /// The Service's name.
    pub name: Name,
    /// When it was created, in seconds since 1970. Of two that claim one address, the older wins.
    pub created: Option<i64>,
    /// Its ports.
    pub ports: Vec<PortSpec>,
    /// What it is called for; what is served depends on the addresses alone.
    pub kind: ServiceKind,
    /// Its cluster addresses, at most one of each family. In other families it is not served.
    pub cluster_ips: Vec<IpAddr>,
    /// Addresses at which a load balancer hands packets to nodes as they are.
    pub load_balancer_ips: Vec<IpAddr>,
    /// The clients that those let in. Where there are none of a family, all of that are.
    pub source_ranges: Vec<IpNetwork>,
    /// Addresses that its author lets lead to it.
    pub external_ips: Vec<IpAddr>,
    /// Whether `internalTrafficPolicy` is Local.
    pub internal_local: bool,
    /// Whether `externalTrafficPolicy` is Local.
    pub external_local: bool,
    /// For how many seconds a client stays with its backend, if it does.
    pub affinity_seconds: Option<u32>,
    /// Where its load balancer asks a node whether it has endpoints of it, if it does.
    pub health_check_port: Option<u16>,
}

/// The type of a Service with an address of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ServiceKind {
    /// For clients inside the cluster.
    #[default]
    ClusterIp,
    /// Also at a port of every node.
    NodePort,
    /// Also at the addresses of a load balancer.
    LoadBalancer,
}

/// One port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortSpec {
    /// The port's name, by which endpoints are found.
    pub name: String,
    /// The port's protocol.
    pub protocol: Protocol,
    /// What clients connect to.
    pub port: u16,
    /// What clients of a node's own addresses connect to, if they can.
    pub node_port: Option<u16>,
}

/// A transport protocol that is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl ServiceKind {
    /// The type's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClusterIp => "ClusterIP",
            Self::NodePort => "NodePort",
            Self::LoadBalancer => "LoadBalancer",
        }
    }
}

impl Protocol {
    /// As it stands in packets.
    #[must_use]
    pub const fn proto(self) -> Proto {
        match self {
            Self::Tcp => Proto::TCP,
            Self::Udp => Proto::UDP,
            Self::Sctp => Proto::SCTP,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        })
    }
}
