//! What shall be served.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use dataplane_common::abi::{Family, FrontendKey};
use ipnetwork::IpNetwork;

use crate::model::{Backend, Frontend, Name, Protocol, Role, ServicePortName};

/// A ServicePort in one family: the unit that is served, and the owner of one extent of slots.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FamilyPort {
    /// The ServicePort.
    pub port: ServicePortName,
    /// The family.
    pub family: Family,
    /// The port of its frontends, where the protocol keeps its ports: those of other ports, which
    /// other endpoints serve, are a unit of their own.
    pub kept: Option<u16>,
}

/// How a [`FamilyPort`] shall be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// What clients connect to. Never empty.
    pub frontends: BTreeMap<FrontendKey, Frontend>,
    /// Who serves, in the order of slots: those only in the Local set, in both, only in the
    /// Cluster set, in none.
    pub backends: Vec<Backend>,
    /// For how many seconds a client stays with its backend, if it does.
    pub affinity_seconds: Option<u32>,
    /// The clients that frontends with [`ServiceFlags::SOURCE_RANGES`] let in.
    ///
    /// [`ServiceFlags::SOURCE_RANGES`]: dataplane_common::abi::ServiceFlags::SOURCE_RANGES
    pub sources: BTreeSet<IpNetwork>,
    /// Ports of endpoints that cannot serve, because the protocol keeps its ports.
    pub unserved: BTreeSet<u16>,
}

impl Desired {
    /// The frontends, cluster IPs first: of all they change least.
    pub fn in_order(&self) -> impl Iterator<Item = (&FrontendKey, &Frontend)> {
        let is_first = |frontend: &Frontend| frontend.role == Role::ClusterIp;
        let first = self.frontends.iter().filter(move |(_, frontend)| is_first(frontend));
        let others = self.frontends.iter().filter(move |(_, frontend)| !is_first(frontend));
        first.chain(others)
    }
}

impl FamilyPort {
    /// The first in order that a Service can have.
    #[must_use]
    pub fn first_of(service: &Name) -> Self {
        let (service, port) = (service.clone(), String::new());
        let port = ServicePortName { service, port, protocol: Protocol::Tcp };
        Self { port, family: Family::V4, kept: None }
    }

    /// The one of a frontend.
    #[must_use]
    pub fn of(port: ServicePortName, frontend: &FrontendKey) -> Self {
        let kept = frontend.proto.keeps_ports().then(|| frontend.port.number());
        Self { port, family: frontend.addr.family(), kept }
    }

    /// Whether endpoints at a port can serve it.
    #[must_use]
    pub fn is_served_by(&self, port: u16) -> bool {
        self.kept.is_none_or(|kept| kept == port)
    }
}

impl fmt::Display for FamilyPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = match self.family {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        };
        write!(f, "{} ({family})", self.port)
    }
}
