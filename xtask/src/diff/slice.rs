//! An EndpointSlice as the API has it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{
    probe::Protocol,
    service::{Family, Metadata, is_default},
};

/// The label that names a slice's Service.
pub(super) const SERVICE: &str = "kubernetes.io/service-name";

/// The object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "apiVersion", rename = "discovery.k8s.io/v1", rename_all = "camelCase")]
pub(super) struct Slice {
    pub(super) metadata: Metadata,
    pub(super) address_type: Family,
    #[serde(default)]
    pub(super) ports: Vec<SlicePort>,
    #[serde(default)]
    pub(super) endpoints: Vec<Endpoint>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SlicePort {
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) name: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) protocol: Option<Protocol>,
    /// None means all ports, which no Service leads to.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Endpoint {
    /// Of which the first counts.
    pub(super) addresses: Vec<IpAddr>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) conditions: Conditions,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) node_name: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) zone: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) hints: Hints,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Conditions {
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) ready: Option<bool>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) serving: Option<bool>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) terminating: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Hints {
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) for_zones: Vec<Hint>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) for_nodes: Vec<Hint>,
}

/// A zone or a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hint {
    pub(super) name: String,
}

impl Endpoint {
    /// A ready one of which nothing else is told.
    pub(super) fn at(address: IpAddr) -> Self {
        Self {
            addresses: vec![address],
            conditions: Conditions::default(),
            node_name: None,
            zone: None,
            hints: Hints::default(),
        }
    }
}

impl Slice {
    /// An empty one of a Service.
    pub(super) fn new(name: &str, service: &str, family: Family) -> Self {
        let labels = [(SERVICE.to_owned(), service.to_owned())].into();
        Self {
            metadata: Metadata { name: name.to_owned(), labels },
            address_type: family,
            ports: Vec::new(),
            endpoints: Vec::new(),
        }
    }

    /// Whether it names that Service.
    pub(super) fn is_of(&self, service: &str) -> bool {
        self.metadata.labels.get(SERVICE).is_some_and(|name| name == service)
    }

    /// Where its endpoints listen for a port of a Service.
    pub(super) fn numbers(&self, name: &str, protocol: Protocol) -> impl Iterator<Item = u16> {
        let is_it = move |port: &&SlicePort| {
            port.name.as_deref().unwrap_or_default() == name
                && port.protocol.unwrap_or(Protocol::Tcp) == protocol
        };
        self.ports.iter().filter(is_it).filter_map(|port| port.port)
    }
}
