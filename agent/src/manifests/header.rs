//! The part of an object that tells what it is.

use serde::Deserialize;

use crate::k8s::Kind;

/// Which object it is, as far as that is said.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Header {
    pub(super) api_version: String,
    pub(super) kind: String,
    metadata: Identity,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Identity {
    namespace: Option<String>,
    name: Option<String>,
}

impl Header {
    pub(super) fn is_list(&self) -> bool {
        self.api_version == "v1" && self.kind == "List"
    }

    pub(super) fn has_name(&self) -> bool {
        self.metadata.name.as_ref().is_some_and(|name| !name.is_empty())
    }

    /// What problems call it.
    pub(super) fn object(&self) -> String {
        let kind = if self.kind.is_empty() { "an object" } else { &self.kind };
        match &self.metadata {
            Identity { name: None, .. } => kind.to_owned(),
            Identity { name: Some(name), namespace: None } => format!("{kind} {name}"),
            Identity { name: Some(name), namespace: Some(namespace) } => {
                format!("{kind} {namespace}/{name}")
            }
        }
    }
}

/// The kind, if objects of it matter.
pub(super) fn known(api_version: &str, kind: &str) -> Option<Kind> {
    Some(match (api_version, kind) {
        ("v1", "Service") => Kind::Service,
        ("v1", "Endpoints") => Kind::Endpoints,
        ("v1", "Node") => Kind::Node,
        ("discovery.k8s.io/v1", "EndpointSlice") => Kind::EndpointSlice,
        ("networking.k8s.io/v1", "ServiceCIDR") => Kind::ServiceCidr,
        ("networking.k8s.io/v1", "NetworkPolicy") => Kind::NetworkPolicy,
        _ => return None,
    })
}
