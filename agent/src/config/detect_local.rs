//! Which senders of packets are pods.

use ipnetwork::IpNetwork;
use serde::Deserialize;

/// By what the source of a packet to a cluster IP is known as a pod: a pod keeps its address, all
/// others are masqueraded (KEP-2450).
#[derive(Clone, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DetectLocal {
    /// It came in by the link of one of this node's pods.
    #[default]
    OwnPods,
    /// Its address is in one of these networks: those of all pods. Of each family the first counts.
    #[serde(rename = "clusterCIDRs")]
    ClusterCidrs(Vec<IpNetwork>),
    /// Its address is in the `podCIDRs` of this node.
    #[serde(rename = "nodeCIDR")]
    NodeCidr,
    /// It came in by the bridge of this name.
    BridgeInterface(String),
    /// It came in by a device whose name begins so.
    InterfaceNamePrefix(String),
    /// By nothing: whatever is sent to a cluster IP is taken as sent by a pod.
    None,
}
