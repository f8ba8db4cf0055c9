//! What is served, for people and tools.

use std::net::SocketAddr;

use dataplane_common::abi::{Family, FrontendKey, Scopes, ServiceFlags};
use serde::{Deserialize, Serialize};

use crate::maps::dump::{state_text, traffic_policy};
use crate::model::{Backend, Frontend, ServiceKind, frontend_text};
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
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// `IPv4` or `IPv6`.
    pub family: String,
    /// The Service's type.
    pub r#type: String,
    /// What clients connect to.
    pub frontends: Vec<FrontendRow>,
    /// For how many seconds a client stays with its backend, if it does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub affinity_seconds: Option<u32>,
    /// Who serves it.
    pub backends: Vec<BackendRow>,
    /// Why the maps do not say so yet.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<String>,
}

/// One frontend of a ServicePort.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FrontendRow {
    /// `10.96.0.1:443/TCP`; at a NodePort the address is its family's unspecified one.
    pub address: String,
    /// `clusterIP`, `nodePort`, `loadBalancer` or `externalIP`.
    pub kind: String,
    /// `Cluster` or `Local`: the internal traffic policy at a cluster IP, the external one elsewhere.
    pub traffic_policy: String,
    /// Whether flows to backends of this node keep their client's address where they need not.
    #[serde(rename = "keepClientIP", skip_serializing_if = "std::ops::Not::not", default)]
    pub keep_client_ip: bool,
}

/// One backend of a ServicePort.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendRow {
    /// Its address and port.
    pub address: SocketAddr,
    /// `active`, or `terminating` where it only keeps the flows it has: it is on its way out, or its
    /// hints or its node make it others'.
    pub state: String,
    /// The sets of new flows it is in: `local`, `cluster`.
    pub scopes: Vec<String>,
}

impl ServiceRow {
    pub(super) fn new(
        port: &FamilyPort,
        kind: ServiceKind,
        desired: &Desired,
        failure: Option<&String>,
    ) -> Self {
        let FamilyPort { port, family, .. } = port;
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
            r#type: kind.as_str().to_owned(),
            frontends: frontends(desired),
            affinity_seconds: desired.affinity_seconds,
            backends: desired.backends.iter().map(BackendRow::new).collect(),
            failure: failure.cloned(),
        }
    }
}

/// By what they are, then by address.
fn frontends(desired: &Desired) -> Vec<FrontendRow> {
    let mut frontends: Vec<_> = desired.frontends.iter().collect();
    frontends.sort_by_key(|(key, frontend)| (frontend.role, **key));
    frontends.into_iter().map(|(key, frontend)| FrontendRow::new(key, *frontend)).collect()
}

impl FrontendRow {
    fn new(key: &FrontendKey, frontend: Frontend) -> Self {
        let Frontend { role, flags } = frontend;
        Self {
            address: frontend_text(key),
            kind: role.as_str().to_owned(),
            traffic_policy: traffic_policy(flags).to_owned(),
            keep_client_ip: flags.has(ServiceFlags::KEEP_CLIENT),
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
