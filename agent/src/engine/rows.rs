//! What is served, for people and tools.

use std::net::SocketAddr;

use dataplane_common::abi::{Family, Scopes, ServiceFlags};
use serde::{Deserialize, Serialize};

use crate::maps::dump::state_text;
use crate::model::{Backend, frontend_text};
use crate::state::{Desired, FamilyPort};

/// One ServicePort in one family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceRow {
    /// The Service's namespace.
    pub namespace: String,
    /// The Service's name.
    pub name: String,
    /// The port's name; may be empty.
    pub port: String,
    /// `TCP` or `UDP`.
    pub protocol: String,
    /// `IPv4` or `IPv6`.
    pub family: String,
    /// What clients connect to: `10.96.0.1:443/TCP`.
    pub frontends: Vec<String>,
    /// `Cluster` or `Local`.
    pub internal_traffic_policy: String,
    /// Who serves it.
    pub backends: Vec<BackendRow>,
    /// Why the maps do not say so yet.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<String>,
}

/// One backend of a ServicePort.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendRow {
    /// Its address and port.
    pub address: SocketAddr,
    /// `active`, or `terminating` where it only keeps the flows it has.
    pub state: String,
    /// The sets of new flows it is in: `local`, `cluster`.
    pub scopes: Vec<String>,
}

impl ServiceRow {
    pub(super) fn new(port: &FamilyPort, desired: &Desired, failure: Option<&String>) -> Self {
        let FamilyPort { port, family } = port;
        let is_local = desired.flags.has(ServiceFlags::INTERNAL_LOCAL);
        let family = match family {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        };
        Self {
            namespace: port.service.namespace.clone(),
            name: port.service.name.clone(),
            port: port.port.clone(),
            protocol: port.protocol.to_string(),
            family: family.to_owned(),
            frontends: desired.frontends.iter().map(frontend_text).collect(),
            internal_traffic_policy: if is_local { "Local" } else { "Cluster" }.to_owned(),
            backends: desired.backends.iter().map(BackendRow::new).collect(),
            failure: failure.cloned(),
        }
    }
}

impl BackendRow {
    fn new(backend: &Backend) -> Self {
        let scopes = [(Scopes::LOCAL, "local"), (Scopes::CLUSTER, "cluster")];
        let scopes = scopes.into_iter().filter(|(scope, _)| backend.scopes.has(*scope));
        Self {
            address: backend.at,
            state: state_text(backend.state()).to_owned(),
            scopes: scopes.map(|(_, name)| name.to_owned()).collect(),
        }
    }
}
