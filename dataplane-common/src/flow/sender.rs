//! Whose packet it is: what Services' traffic policies go by.

use crate::abi::{LinkFlags, NetworkKind};

/// Who begins a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sender {
    /// A pod of this node.
    LocalPod,
    /// A pod of another node.
    RemotePod,
    /// A process of this node.
    OwnNode,
    /// Another node.
    OtherNode,
    /// Nobody of the cluster.
    Outside,
}

impl Sender {
    /// The sender of what comes in by a device of the node, from an address of a network.
    ///
    /// Addresses of this node and its pods do not come in by an uplink: what does so is forged, and
    /// has no more rights than anybody outside.
    #[must_use]
    #[inline(always)]
    pub const fn behind(link: LinkFlags, source: NetworkKind) -> Self {
        match (link.has(LinkFlags::WORKLOADS), source) {
            (true, NetworkKind::OwnPods) => Self::LocalPod,
            (false, NetworkKind::OtherPods) => Self::RemotePod,
            (false, NetworkKind::OtherNode) => Self::OtherNode,
            (_, NetworkKind::Outside | NetworkKind::OwnNode)
            | (true, NetworkKind::OtherPods | NetworkKind::OtherNode)
            | (false, NetworkKind::OwnPods) => Self::Outside,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_and_address_together_tell_who_sends() {
        use NetworkKind::{OtherNode, OtherPods, Outside, OwnNode, OwnPods};
        for (source, by_uplink, by_workloads) in [
            (Outside, Sender::Outside, Sender::Outside),
            (OwnNode, Sender::Outside, Sender::Outside),
            (OtherNode, Sender::OtherNode, Sender::Outside),
            (OwnPods, Sender::Outside, Sender::LocalPod),
            (OtherPods, Sender::RemotePod, Sender::Outside),
        ] {
            let senders = [LinkFlags::default(), LinkFlags::WORKLOADS]
                .map(|link| Sender::behind(link, source));
            assert_eq!(senders, [by_uplink, by_workloads], "{source:?}");
        }
    }
}
