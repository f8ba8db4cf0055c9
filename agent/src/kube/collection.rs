//! The collections of the API that are followed.

use crate::k8s::Kind;

/// A collection of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Collection {
    Services,
    EndpointSlices,
    Nodes,
}

/// What asks to be left to another proxy or to none never arrives; when an object gets such a label
/// the API tells that it is gone.
const NOT_FOREIGN: &str =
    "!service.kubernetes.io/headless,!service.kubernetes.io/service-proxy-name";

impl Collection {
    pub(super) const ALL: [Self; 3] = [Self::Services, Self::EndpointSlices, Self::Nodes];

    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Services => "/api/v1/services",
            Self::EndpointSlices => "/apis/discovery.k8s.io/v1/endpointslices",
            Self::Nodes => "/api/v1/nodes",
        }
    }

    /// As roles name it.
    pub(super) const fn resource(self) -> &'static str {
        match self {
            Self::Services => "services",
            Self::EndpointSlices => "endpointslices.discovery.k8s.io",
            Self::Nodes => "nodes",
        }
    }

    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::Services => Kind::Service,
            Self::EndpointSlices => Kind::EndpointSlice,
            Self::Nodes => Kind::Node,
        }
    }

    pub(super) fn selector(self) -> Option<String> {
        match self {
            Self::Services | Self::EndpointSlices => Some(NOT_FOREIGN.to_owned()),
            Self::Nodes => None,
        }
    }
}
