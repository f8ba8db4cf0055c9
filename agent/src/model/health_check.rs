//! What a load balancer asks a node about one Service.

use std::collections::BTreeMap;

use dataplane_common::abi::Family;

/// What a load balancer asks this node about one Service, so that it sends only to nodes that have
/// endpoints of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// The port it asks at: `spec.healthCheckNodePort`.
    pub port: u16,
    /// How many endpoints of this node are ready, by their addresses, in each of the Service's
    /// families. Those on their way out do not count, though they are served to (KEP-1669).
    pub local: BTreeMap<Family, usize>,
}
