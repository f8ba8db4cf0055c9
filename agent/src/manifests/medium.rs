//! What objects are written in: YAML, JSON, or a value that was read from either.

use k8s_openapi::api::{
    core::v1::{Endpoints, Node, Service},
    discovery::v1::EndpointSlice,
    networking::v1::ServiceCIDR,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::k8s::{Kind, NetworkPolicy, Resource};

/// What an object of a known kind can be made of.
pub(super) trait Medium {
    type Error;

    fn read<T: DeserializeOwned>(self) -> Result<T, Self::Error>;
}

pub(super) struct YamlText<'a>(pub(super) &'a str);

impl Medium for YamlText<'_> {
    type Error = serde_saphyr::Error;

    fn read<T: DeserializeOwned>(self) -> Result<T, Self::Error> {
        from_yaml(self.0)
    }
}

impl Medium for Value {
    type Error = serde_json::Error;

    fn read<T: DeserializeOwned>(self) -> Result<T, Self::Error> {
        serde_json::from_value(self)
    }
}

pub(super) fn resource<M: Medium>(kind: Kind, medium: M) -> Result<Resource, M::Error> {
    Ok(match kind {
        Kind::Service => Resource::Service(medium.read::<Service>()?),
        Kind::EndpointSlice => Resource::EndpointSlice(medium.read::<EndpointSlice>()?),
        Kind::Endpoints => Resource::Endpoints(medium.read::<Endpoints>()?),
        Kind::Node => Resource::Node(medium.read::<Node>()?),
        Kind::ServiceCidr => Resource::ServiceCidr(medium.read::<ServiceCIDR>()?),
        Kind::NetworkPolicy => Resource::NetworkPolicy(medium.read::<NetworkPolicy>()?),
    })
}

/// Limits against aliases that unfold without end stay; those on size make room for Lists of whole
/// clusters.
pub(super) fn from_yaml<T: DeserializeOwned>(text: &str) -> Result<T, serde_saphyr::Error> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_nodes: 10_000_000, max_events: 40_000_000 },
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options)
}
