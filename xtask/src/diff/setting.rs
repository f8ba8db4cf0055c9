//! Ways to configure a kube-proxy that change what it decides.

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::setup::Scope;

/// A way, in which both islands are configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Setting {
    /// Pods are who has an address of the cluster's pods.
    ClusterCidr,
    /// Pods are who has an address of the node's pods.
    #[default]
    NodeCidr,
    /// Pods are who comes in by the uplink, as if it were a bridge of pods.
    Bridge,
    /// Pods are who comes in by a device that is named as pods' links are.
    Prefix,
    /// Everybody counts as a pod.
    NoDetection,
    /// Whoever asks a cluster IP is masqueraded.
    MasqueradeAll,
    /// NodePorts are at all addresses of the node.
    AllAddresses,
    /// kube-proxy writes rules of iptables: NodePorts are at all addresses, and ports that a Service
    /// has not are nobody's.
    Iptables,
}

impl Setting {
    /// What kube-proxy starts that it would not start otherwise.
    pub(super) fn scope(self) -> Option<Scope> {
        (self == Self::Iptables).then_some(Scope::Iptables)
    }

    /// Its fields of a `KubeProxyConfiguration`.
    pub(super) fn fields(self) -> Value {
        match self {
            Self::ClusterCidr => json!({}),
            Self::NodeCidr => json!({"detectLocalMode": "NodeCIDR"}),
            Self::Bridge => json!({
                "detectLocalMode": "BridgeInterface",
                "detectLocal": {"bridgeInterface": "eth0"},
            }),
            Self::Prefix => json!({
                "detectLocalMode": "InterfaceNamePrefix",
                "detectLocal": {"interfaceNamePrefix": POD_PREFIX},
            }),
            Self::NoDetection => json!({"clusterCIDR": ""}),
            Self::MasqueradeAll => json!({"nftables": {"masqueradeAll": true}}),
            Self::AllAddresses => json!({"nodePortAddresses": ["0.0.0.0/0", "::/0"]}),
            Self::Iptables => json!({"mode": "iptables"}),
        }
    }
}

/// Begins the names of links to pods, whoever wired them.
pub(super) const POD_PREFIX: &str = "wag";
