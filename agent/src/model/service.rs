//! Services.

use std::fmt;
use std::net::IpAddr;

use dataplane_common::abi::Proto;

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
    /// Its cluster addresses, at most one of each family.
    pub cluster_ips: Vec<IpAddr>,
    /// Whether `internalTrafficPolicy` is Local.
    pub internal_local: bool,
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
}

/// A transport protocol that is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// As it stands in packets.
    #[must_use]
    pub const fn proto(self) -> Proto {
        match self {
            Self::Tcp => Proto::TCP,
            Self::Udp => Proto::UDP,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        })
    }
}
