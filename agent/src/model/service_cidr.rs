//! ServiceCIDRs.

use ipnetwork::IpNetwork;

/// The part of a ServiceCIDR that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceCidrSpec {
    /// The networks that cluster IPs are taken from, at most one of each family.
    pub networks: Vec<IpNetwork>,
}
