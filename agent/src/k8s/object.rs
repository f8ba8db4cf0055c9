//! The objects a source delivers, and how it speaks of them.

use std::fmt;
use std::sync::Arc;

use k8s_openapi::api::{
    core::v1::{Endpoints, Node, Service},
    discovery::v1::EndpointSlice,
    networking::v1::ServiceCIDR,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{NetworkPolicy, Reading, endpoint_slice, endpoints, node, service, service_cidr};
use crate::model::{EndpointsSpec, Name, NodeSpec, ServiceCidrSpec, ServiceSpec, SliceSpec};
use crate::problem::{Location, Problem};

/// What a source of objects says.
#[derive(Clone, Debug)]
pub enum Change {
    /// The object is so, from now on.
    Apply(Arc<Object>),
    /// The object is gone.
    Delete(ObjectRef),
    /// What is wrong with the source itself, replacing what it said of that before.
    SourceProblems(Vec<Problem>),
    /// Everything that can be read has been delivered: it may be acted upon.
    Listed {
        /// Nothing was unreadable, so what was not delivered does not exist: it may be pruned.
        complete: bool,
    },
}

/// An object and where it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Where it begins, if it came from a file.
    pub location: Option<Location>,
    /// The object.
    pub resource: Resource,
}

/// The kinds of objects that matter.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "objects travel by reference")]
pub enum Resource {
    /// A Service.
    Service(Service),
    /// An EndpointSlice.
    EndpointSlice(EndpointSlice),
    /// An Endpoints object, which counts where its Service has no EndpointSlice.
    Endpoints(Endpoints),
    /// A Node.
    Node(Node),
    /// A ServiceCIDR.
    ServiceCidr(ServiceCIDR),
    /// A NetworkPolicy.
    NetworkPolicy(NetworkPolicy),
}

/// The identity of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// Its kind.
    pub kind: Kind,
    /// Its name; Nodes and ServiceCIDRs have an empty namespace.
    pub name: Name,
}

/// The kind of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `v1` Service.
    Service,
    /// `discovery.k8s.io/v1` EndpointSlice.
    EndpointSlice,
    /// `v1` Endpoints.
    Endpoints,
    /// `v1` Node.
    Node,
    /// `networking.k8s.io/v1` ServiceCIDR.
    ServiceCidr,
    /// `networking.k8s.io/v1` NetworkPolicy.
    NetworkPolicy,
}

/// What can matter of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spec {
    /// Of a Service.
    Service(ServiceSpec),
    /// Of an EndpointSlice.
    EndpointSlice(SliceSpec),
    /// Of an Endpoints object.
    Endpoints(EndpointsSpec),
    /// Of a Node.
    Node(NodeSpec),
    /// Of a ServiceCIDR.
    ServiceCidr(ServiceCidrSpec),
    /// Of a NetworkPolicy: that there is one.
    NetworkPolicy,
}

impl Object {
    /// Who it is.
    #[must_use]
    pub fn object_ref(&self) -> ObjectRef {
        let kind = self.resource.kind();
        let metadata = self.resource.metadata();
        let namespace = match kind {
            Kind::Node | Kind::ServiceCidr => "",
            Kind::Service | Kind::EndpointSlice | Kind::Endpoints | Kind::NetworkPolicy => {
                metadata.namespace.as_deref().unwrap_or("default")
            }
        };
        let name = metadata.name.as_deref().unwrap_or_default();
        ObjectRef { kind, name: Name::new(namespace, name) }
    }

    /// What can matter of it, if anything does, and what is wrong with it.
    #[must_use]
    pub fn read(&self) -> (Option<Spec>, Vec<Problem>) {
        let object = self.object_ref();
        let name = object.name.clone();
        let Reading { spec, mut problems } = match &self.resource {
            Resource::Service(service) => service::from_resource(name, service).map(Spec::Service),
            Resource::EndpointSlice(slice) => {
                endpoint_slice::from_resource(name, slice).map(Spec::EndpointSlice)
            }
            Resource::Endpoints(endpoints) => {
                endpoints::from_resource(name, endpoints).map(Spec::Endpoints)
            }
            Resource::Node(node) => node::from_resource(name, node).map(Spec::Node),
            Resource::ServiceCidr(cidr) => service_cidr::from_resource(cidr).map(Spec::ServiceCidr),
            Resource::NetworkPolicy(_) => {
                Reading { spec: Some(Spec::NetworkPolicy), problems: Vec::new() }
            }
        };
        for problem in &mut problems {
            problem.object = object.to_string();
            problem.location.clone_from(&self.location);
        }
        (spec, problems)
    }
}

impl Resource {
    fn kind(&self) -> Kind {
        match self {
            Self::Service(_) => Kind::Service,
            Self::EndpointSlice(_) => Kind::EndpointSlice,
            Self::Endpoints(_) => Kind::Endpoints,
            Self::Node(_) => Kind::Node,
            Self::ServiceCidr(_) => Kind::ServiceCidr,
            Self::NetworkPolicy(_) => Kind::NetworkPolicy,
        }
    }

    /// What every object has.
    pub(crate) fn metadata(&self) -> &ObjectMeta {
        match self {
            Self::Service(Service { metadata, .. })
            | Self::EndpointSlice(EndpointSlice { metadata, .. })
            | Self::Endpoints(Endpoints { metadata, .. })
            | Self::Node(Node { metadata, .. })
            | Self::ServiceCidr(ServiceCIDR { metadata, .. })
            | Self::NetworkPolicy(NetworkPolicy { metadata }) => metadata,
        }
    }
}

impl Kind {
    /// The kind's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "Service",
            Self::EndpointSlice => "EndpointSlice",
            Self::Endpoints => "Endpoints",
            Self::Node => "Node",
            Self::ServiceCidr => "ServiceCIDR",
            Self::NetworkPolicy => "NetworkPolicy",
        }
    }

    /// Its group and version.
    #[must_use]
    pub const fn api_version(self) -> &'static str {
        match self {
            Self::Service | Self::Endpoints | Self::Node => "v1",
            Self::EndpointSlice => "discovery.k8s.io/v1",
            Self::ServiceCidr | Self::NetworkPolicy => "networking.k8s.io/v1",
        }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name } = self;
        if name.namespace.is_empty() {
            write!(f, "{} {}", kind.as_str(), name.name)
        } else {
            write!(f, "{} {name}", kind.as_str())
        }
    }
}
