//! What made a controller write a slice, and when.

use dataplane_common::abi::Family;
use jiff::Timestamp;

use super::endpoint_slice::SERVICE;
use super::{Object, Resource};
use crate::model::Name;

/// The annotation with the time, as RFC 3339 has it.
const TIME: &str = "endpoints.kubernetes.io/last-change-trigger-time";

/// When the pod or Service changed that a slice was written for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// The slice's Service.
    pub service: Name,
    /// The slice's family.
    pub family: Family,
    /// When.
    pub time: Timestamp,
}

impl Object {
    /// What it was written for, if that is told.
    #[must_use]
    pub fn trigger(&self) -> Option<Trigger> {
        let Resource::EndpointSlice(slice) = &self.resource else { return None };
        let family = match slice.address_type.as_str() {
            "IPv4" => Family::V4,
            "IPv6" => Family::V6,
            _ => return None,
        };
        let service = slice.metadata.labels.as_ref()?.get(SERVICE)?;
        let time = slice.metadata.annotations.as_ref()?.get(TIME)?.parse().ok()?;
        let service = Name::new(self.object_ref().name.namespace, service);
        Some(Trigger { service, family, time })
    }
}
