//! What can be asked for.

use serde_json::Value;

/// A kind of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// `v1` Services.
    Services,
    /// `discovery.k8s.io/v1` EndpointSlices.
    EndpointSlices,
    /// `v1` Nodes.
    Nodes,
    /// `networking.k8s.io/v1` ServiceCIDRs.
    ServiceCidrs,
    /// `networking.k8s.io/v1` NetworkPolicies.
    NetworkPolicies,
}

/// How it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// All objects, page by page.
    List,
    /// What changes.
    Watch,
    /// An object's status, to be made otherwise.
    PatchStatus,
}

impl Resource {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Services,
        Self::EndpointSlices,
        Self::Nodes,
        Self::ServiceCidrs,
        Self::NetworkPolicies,
    ];

    /// The kinds that every API server has.
    pub const NEEDED: [Self; 3] = [Self::Services, Self::EndpointSlices, Self::Nodes];

    /// The kind of one object.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Services => "Service",
            Self::EndpointSlices => "EndpointSlice",
            Self::Nodes => "Node",
            Self::ServiceCidrs => "ServiceCIDR",
            Self::NetworkPolicies => "NetworkPolicy",
        }
    }

    /// The group and version.
    #[must_use]
    pub const fn api_version(self) -> &'static str {
        match self {
            Self::Services | Self::Nodes => "v1",
            Self::EndpointSlices => "discovery.k8s.io/v1",
            Self::ServiceCidrs | Self::NetworkPolicies => "networking.k8s.io/v1",
        }
    }

    /// The path of the collection.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Services => "/api/v1/services",
            Self::EndpointSlices => "/apis/discovery.k8s.io/v1/endpointslices",
            Self::Nodes => "/api/v1/nodes",
            Self::ServiceCidrs => "/apis/networking.k8s.io/v1/servicecidrs",
            Self::NetworkPolicies => "/apis/networking.k8s.io/v1/networkpolicies",
        }
    }

    /// What an object is, by its `kind`.
    ///
    /// # Panics
    /// When the object is of no kind of ours.
    pub(crate) fn of(object: &Value) -> Self {
        let kind = object["kind"].as_str().unwrap_or_default();
        let found = Self::ALL.into_iter().find(|resource| resource.kind() == kind);
        found.expect("an object of a kind that is served")
    }
}
