//! Whose packet it is: what Services' traffic policies go by.

use crate::abi::{Address, LinkFlags, Network, NetworkFlags, NetworkKind, NodeFlags};

/// Who begins a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sender {
    /// A pod of this node, or who counts as one.
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
    /// The sender of what comes in by a pod's link, from an address of a network.
    #[must_use]
    #[inline(always)]
    pub const fn of_pod<A: Address>(detection: NodeFlags, source: Network) -> Self {
        if counts_as_pod::<A>(true, detection, true, source) {
            Self::LocalPod
        } else {
            Self::Outside
        }
    }

    /// The sender of what comes in by another device of the node, from an address of a network.
    ///
    /// Addresses of this node and its pods do not come in by an uplink: what does so is forged, and
    /// has no more rights than anybody outside.
    #[must_use]
    #[inline(always)]
    pub const fn behind<A: Address>(
        detection: NodeFlags,
        link: LinkFlags,
        source: Network,
    ) -> Self {
        let kind = NetworkKind::from_number(source.kind);
        let is_pod = link.has(LinkFlags::WORKLOADS) && matches!(kind, NetworkKind::OwnPods);
        if counts_as_pod::<A>(is_pod, detection, link.has(LinkFlags::LOCAL_PODS), source) {
            return Self::LocalPod;
        }
        match (link.has(LinkFlags::WORKLOADS), kind) {
            (false, NetworkKind::OtherPods) => Self::RemotePod,
            (false, NetworkKind::OtherNode) => Self::OtherNode,
            (_, NetworkKind::Outside | NetworkKind::OwnNode | NetworkKind::Services)
            | (_, NetworkKind::OwnPods)
            | (true, NetworkKind::OtherPods | NetworkKind::OtherNode) => Self::Outside,
        }
    }
}

/// Whether a sender counts as a pod of this node, by what the node goes by; `is_pod` where it goes
/// by nothing in particular.
#[inline(always)]
const fn counts_as_pod<A: Address>(
    is_pod: bool,
    detection: NodeFlags,
    by_device: bool,
    source: Network,
) -> bool {
    if detection.has(A::PODS_UNKNOWN) {
        false
    } else if detection.has(NodeFlags::PODS_BY_NETWORK) {
        source.flags.has(NetworkFlags::LOCAL_PODS)
    } else if detection.has(NodeFlags::PODS_BY_DEVICE) {
        by_device
    } else {
        is_pod
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type V4 = [u8; 4];

    fn network(kind: NetworkKind, flags: NetworkFlags) -> Network {
        Network { kind: kind.number(), flags, ..Network::default() }
    }

    #[test]
    fn device_and_address_together_tell_who_sends() {
        use NetworkKind::{OtherNode, OtherPods, Outside, OwnNode, OwnPods, Services};
        for (source, by_uplink, by_workloads) in [
            (Outside, Sender::Outside, Sender::Outside),
            (OwnNode, Sender::Outside, Sender::Outside),
            (OtherNode, Sender::OtherNode, Sender::Outside),
            (OwnPods, Sender::Outside, Sender::LocalPod),
            (OtherPods, Sender::RemotePod, Sender::Outside),
            (Services, Sender::Outside, Sender::Outside),
        ] {
            let senders = [LinkFlags::default(), LinkFlags::WORKLOADS].map(|link| {
                let source = network(source, NetworkFlags::default());
                Sender::behind::<V4>(NodeFlags::default(), link, source)
            });
            assert_eq!(senders, [by_uplink, by_workloads], "{source:?}");
        }
    }

    /// By what the node goes by: whether a pod behind its own link, a pod of others behind a bridge,
    /// one behind a device that counts, and a pod of another node in a network that counts do.
    #[test]
    fn pods_are_told_by_what_the_node_goes_by() {
        let (own, plain) = (NetworkKind::OwnPods, NetworkFlags::default());
        let (pod, counting) = (network(own, plain), network(own, NetworkFlags::LOCAL_PODS));
        let elsewhere = network(NetworkKind::OtherPods, NetworkFlags::LOCAL_PODS);
        for (detection, expected) in [
            (NodeFlags::default(), [true, true, true, false, false]),
            (NodeFlags::PODS_BY_NETWORK, [false, true, false, false, true]),
            (NodeFlags::PODS_BY_DEVICE, [true, true, false, true, false]),
            (NodeFlags::PODS_UNKNOWN4, [false; 5]),
            (NodeFlags::PODS_UNKNOWN6, [true, true, true, false, false]),
        ] {
            let workloads = LinkFlags::WORKLOADS;
            let senders = [
                Sender::of_pod::<V4>(detection, pod),
                Sender::of_pod::<V4>(detection, counting),
                Sender::behind::<V4>(detection, workloads, pod),
                Sender::behind::<V4>(
                    detection,
                    LinkFlags::LOCAL_PODS,
                    network(NetworkKind::Outside, plain),
                ),
                Sender::behind::<V4>(detection, LinkFlags::default(), elsewhere),
            ];
            let count = senders.map(|sender| sender == Sender::LocalPod);
            assert_eq!(count, expected, "{detection:?}");
        }
    }
}
