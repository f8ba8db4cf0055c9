//! Endpoints: who serves a Service.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::{Name, Protocol};

/// The parts of an EndpointSlice that can change what is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SliceSpec {
    /// The slice's name.
    pub name: Name,
    /// The Service it belongs to, of the same namespace.
    pub service: String,
    /// What it lists.
    pub set: EndpointSet,
}

/// The parts of an Endpoints object that can change what is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointsSpec {
    /// The object's name, and the Service's.
    pub name: Name,
    /// Its subsets.
    pub sets: Vec<EndpointSet>,
}

/// Endpoints that all have the same ports.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct EndpointSet {
    /// Name, protocol and number of each port.
    pub ports: Vec<(String, Protocol, u16)>,
    /// The endpoints.
    pub endpoints: Vec<Endpoint<IpAddr>>,
}

impl EndpointSet {
    /// Whether any endpoint is meant for somebody above others.
    #[must_use]
    pub fn has_hints(&self) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.hints.is_some())
    }
}

/// One endpoint, at an address or, as a member of a ServicePort, at an address and port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint<At = SocketAddr> {
    /// Where it is.
    pub at: At,
    /// The node it runs on, where that is known.
    pub node: Option<String>,
    /// Whether it takes new flows.
    pub ready: bool,
    /// Whether it answers, even if it is on its way out.
    pub serving: bool,
    /// Whether it is on its way out.
    pub terminating: bool,
    /// Who is to prefer it, where its controller says so.
    pub hints: Option<Arc<Hints>>,
}

/// Whom an endpoint is meant for above others (KEP-2433, KEP-3015).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Hints {
    /// Names of nodes.
    pub nodes: BTreeSet<String>,
    /// Names of zones.
    pub zones: BTreeSet<String>,
}
