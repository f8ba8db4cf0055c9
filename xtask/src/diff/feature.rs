//! What generated objects may have in them, one switch for each behaviour that is compared.

use std::{collections::BTreeSet, fmt};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::frontends::Role;

/// A switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Feature {
    /// Services and endpoints of IPv6 alone.
    Ipv6,
    /// Services of both families, in either order.
    DualStack,
    /// NodePorts.
    NodePorts,
    /// Addresses of load balancers.
    LoadBalancers,
    /// Load balancers with host names, in mode `Proxy`, or of a family that the Service has not.
    OddLoadBalancers,
    /// Addresses in `externalIPs`.
    ExternalIps,
    /// The traffic policies.
    Policies,
    /// Endpoints that are not ready, or on their way out.
    Conditions,
    /// Ports of SCTP, which most often are those that endpoints listen at.
    Sctp,
    /// Services of several ports, also of one number for TCP and UDP.
    SeveralPorts,
    /// Several slices, also with one endpoint in two of them, and of different ports.
    SeveralSlices,
    /// Slices of a family that the Service has not, and ports without a number.
    OddSlices,
    /// Endpoints of which no node is told.
    NoNodeNames,
    /// Headless Services, and those that are another's name.
    OtherTypes,
    /// Services that a label gives to another proxy.
    ForeignServices,
    /// Slices with the same label, while their Service is ours.
    ForeignSlices,
    /// Services and slices that a label calls headless.
    HeadlessLabels,
    /// Load balancers without NodePorts.
    NoNodePorts,
    /// Hints for zones and nodes.
    Hints,
    /// `loadBalancerSourceRanges`.
    SourceRanges,
    /// NodePorts at addresses of the node that its object has not.
    SecondaryAddresses,
    /// NodePorts at loopback addresses, for processes of the node.
    LocalhostNodePorts,
    /// Endpoints at addresses of the nodes.
    HostEndpoints,
    /// Services of more endpoints than few flows can tell.
    ManyEndpoints,
    /// Addresses that several Services have, each with ports of its own.
    SharedAddresses,
    /// Addresses and ports that several Services name.
    Contests,
    /// Clients that stay with their backend.
    Affinity,
    /// Ports that a Service has not, at its own addresses.
    OtherPorts,
    /// Addresses for Services that no Service has.
    Unallocated,
}

/// Which features a run has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Profile {
    features: BTreeSet<Feature>,
}

/// A profile by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Named {
    /// The fewest features that say anything.
    Tiny,
    /// All features.
    #[default]
    All,
}

const TINY: [Feature; 5] = [
    Feature::NodePorts,
    Feature::LoadBalancers,
    Feature::ExternalIps,
    Feature::Policies,
    Feature::Conditions,
];

impl Profile {
    /// A named one with some features more and some less.
    pub(super) fn new(named: Named, with: &[Feature], without: &[Feature]) -> Self {
        let all = Feature::value_variants().iter().copied();
        let mut features: BTreeSet<Feature> = match named {
            Named::Tiny => TINY.into(),
            Named::All => all.collect(),
        };
        features.extend(with);
        features.retain(|feature| !without.contains(feature));
        Self { features }
    }

    /// Whether it has a feature.
    pub(super) fn has(&self, feature: Feature) -> bool {
        self.features.contains(&feature)
    }

    /// Whether frontends of a role are probed.
    pub(super) fn tries(&self, role: Role) -> bool {
        match role {
            Role::ClusterIp | Role::NodePort | Role::LoadBalancer | Role::ExternalIp => true,
            Role::SecondaryNodePort => self.has(Feature::SecondaryAddresses),
            Role::LocalhostNodePort => self.has(Feature::LocalhostNodePorts),
            Role::OtherPort => self.has(Feature::OtherPorts),
            Role::Unallocated => self.has(Feature::Unallocated),
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.features.iter().filter_map(ValueEnum::to_possible_value);
        let names: Vec<String> = names.map(|value| value.get_name().to_owned()).collect();
        f.write_str(&names.join(" "))
    }
}
