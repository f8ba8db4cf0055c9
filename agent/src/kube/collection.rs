//! The collections of the API that are followed.

use crate::k8s::{ANOTHERS, HEADLESS, Kind};

/// A collection of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Collection {
    Services,
    EndpointSlices,
    Nodes,
    ServiceCidrs,
    NetworkPolicies,
}

impl Collection {
    pub(super) const ALL: [Self; 5] = [
        Self::Services,
        Self::EndpointSlices,
        Self::Nodes,
        Self::ServiceCidrs,
        Self::NetworkPolicies,
    ];

    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Services => "/api/v1/services",
            Self::EndpointSlices => "/apis/discovery.k8s.io/v1/endpointslices",
            Self::Nodes => "/api/v1/nodes",
            Self::ServiceCidrs => "/apis/networking.k8s.io/v1/servicecidrs",
            Self::NetworkPolicies => "/apis/networking.k8s.io/v1/networkpolicies",
        }
    }

    /// As roles name it.
    pub(super) const fn resource(self) -> &'static str {
        match self {
            Self::Services => "services",
            Self::EndpointSlices => "endpointslices.discovery.k8s.io",
            Self::Nodes => "nodes",
            Self::ServiceCidrs => "servicecidrs.networking.k8s.io",
            Self::NetworkPolicies => "networkpolicies.networking.k8s.io",
        }
    }

    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::Services => Kind::Service,
            Self::EndpointSlices => Kind::EndpointSlice,
            Self::Nodes => Kind::Node,
            Self::ServiceCidrs => Kind::ServiceCidr,
            Self::NetworkPolicies => Kind::NetworkPolicy,
        }
    }

    /// Whether all goes on as without any where there is no such thing, or no leave to read it: API
    /// servers before Kubernetes 1.33 have no ServiceCIDRs, and roles made for those do not name them;
    /// NetworkPolicies only make this node say that it enforces none.
    pub(super) const fn is_optional(self) -> bool {
        matches!(self, Self::ServiceCidrs | Self::NetworkPolicies)
    }

    /// Whether of each object only the metadata is asked for.
    pub(super) const fn is_of_names(self) -> bool {
        matches!(self, Self::NetworkPolicies)
    }

    /// What no proxy of the default kind needs never arrives; when an object gets such a label the
    /// API tells that it is gone.
    pub(super) fn selector(self) -> Option<String> {
        match self {
            Self::Services => Some(format!("!{ANOTHERS}")),
            Self::EndpointSlices => Some(format!("!{HEADLESS}")),
            Self::Nodes | Self::ServiceCidrs | Self::NetworkPolicies => None,
        }
    }
}
