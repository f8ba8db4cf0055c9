//! Who counts as a pod of this node: what the tables `node`, `networks` and `links` say of it.

use std::collections::BTreeMap;

use dataplane_common::abi::{Network, NetworkFlags, NodeFlags};
use ipnetwork::IpNetwork;

use crate::config::DetectLocal;
use crate::model::NodeSpec;

/// By what pods are told, and whether that spares them the masquerade.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Detection {
    /// By what.
    pub by: DetectLocal,
    /// Whether cluster IPs hide pods as well.
    pub masquerade_all: bool,
}

impl Detection {
    /// The switches of the table `node`.
    #[must_use]
    pub fn flags(&self, own: Option<&NodeSpec>) -> NodeFlags {
        let unknown = NodeFlags::PODS_UNKNOWN4.union(NodeFlags::PODS_UNKNOWN6);
        let by = match &self.by {
            DetectLocal::OwnPods => NodeFlags::default(),
            DetectLocal::ClusterCidrs(_) | DetectLocal::NodeCidr => {
                let networks = self.networks(own);
                let families =
                    [(true, NodeFlags::PODS_UNKNOWN4), (false, NodeFlags::PODS_UNKNOWN6)];
                let without = families
                    .into_iter()
                    .filter(|(v4, _)| !networks.iter().any(|it| it.is_ipv4() == *v4));
                without.fold(NodeFlags::PODS_BY_NETWORK, |all, (_, flag)| all.union(flag))
            }
            DetectLocal::BridgeInterface(_) | DetectLocal::InterfaceNamePrefix(_) => {
                NodeFlags::PODS_BY_DEVICE
            }
            DetectLocal::None => unknown,
        };
        if self.masquerade_all { by.union(NodeFlags::MASQUERADE_ALL) } else { by }
    }

    /// Whether senders behind a device of this name count.
    #[must_use]
    pub fn has_device(&self, name: &str) -> bool {
        match &self.by {
            DetectLocal::BridgeInterface(bridge) => name == bridge,
            DetectLocal::InterfaceNamePrefix(prefix) => name.starts_with(prefix),
            DetectLocal::OwnPods
            | DetectLocal::ClusterCidrs(_)
            | DetectLocal::NodeCidr
            | DetectLocal::None => false,
        }
    }

    /// The networks in which senders count, of each family the first.
    fn networks(&self, own: Option<&NodeSpec>) -> Vec<IpNetwork> {
        let all = match &self.by {
            DetectLocal::ClusterCidrs(cidrs) => cidrs.as_slice(),
            DetectLocal::NodeCidr => own.map_or(&[][..], |own| &own.pod_cidrs),
            DetectLocal::OwnPods
            | DetectLocal::BridgeInterface(_)
            | DetectLocal::InterfaceNamePrefix(_)
            | DetectLocal::None => &[],
        };
        let first = |v4: bool| all.iter().find(|cidr| cidr.is_ipv4() == v4).copied();
        [true, false].into_iter().filter_map(first).collect()
    }

    /// Marks the networks in which senders count, and makes them known: the longest prefix decides,
    /// so that each one inside is marked as well.
    pub fn mark(&self, own: Option<&NodeSpec>, kinds: &mut BTreeMap<IpNetwork, Network>) {
        for counting in self.networks(own) {
            let Ok(counting) = IpNetwork::new(counting.network(), counting.prefix()) else {
                continue;
            };
            let around = kinds.iter().filter(|(network, _)| is_within(counting, **network));
            let around = around.max_by_key(|(network, _)| network.prefix());
            let kind = around.map_or_else(Network::default, |(_, value)| *value);
            kinds.entry(counting).or_insert(Network { flags: NetworkFlags::default(), ..kind });
            for (_, value) in kinds.iter_mut().filter(|(network, _)| is_within(**network, counting))
            {
                value.flags = value.flags.union(NetworkFlags::LOCAL_PODS);
            }
        }
    }
}

fn is_within(inner: IpNetwork, outer: IpNetwork) -> bool {
    inner.prefix() >= outer.prefix() && outer.contains(inner.network())
}

#[cfg(test)]
mod tests {
    use dataplane_common::abi::NetworkKind;

    use super::*;
    use crate::devices::tests::node;

    fn cidrs(texts: &[&str]) -> Vec<IpNetwork> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_family_without_a_network_cannot_tell_its_pods() {
        let both = NodeFlags::PODS_UNKNOWN4.union(NodeFlags::PODS_UNKNOWN6);
        let by_network = NodeFlags::PODS_BY_NETWORK;
        for (by, expected) in [
            (DetectLocal::OwnPods, NodeFlags::default()),
            (DetectLocal::None, both),
            (DetectLocal::BridgeInterface("cni0".to_owned()), NodeFlags::PODS_BY_DEVICE),
            (DetectLocal::InterfaceNamePrefix("veth".to_owned()), NodeFlags::PODS_BY_DEVICE),
            (DetectLocal::NodeCidr, by_network.union(NodeFlags::PODS_UNKNOWN6)),
            (DetectLocal::ClusterCidrs(cidrs(&["10.0.0.0/8", "fd00::/8"])), by_network),
            (
                DetectLocal::ClusterCidrs(cidrs(&["fd00::/8"])),
                by_network.union(NodeFlags::PODS_UNKNOWN4),
            ),
            (DetectLocal::ClusterCidrs(Vec::new()), by_network.union(both)),
        ] {
            let own = node("a", &[], &["10.1.1.0/24"]);
            for (masquerade_all, more) in
                [(false, NodeFlags::default()), (true, NodeFlags::MASQUERADE_ALL)]
            {
                let detection = Detection { by: by.clone(), masquerade_all };
                assert_eq!(detection.flags(Some(&own)), expected.union(more), "{detection:?}");
            }
        }
    }

    #[test]
    fn devices_count_by_their_whole_name_or_its_begin() {
        let bridge = DetectLocal::BridgeInterface("cni0".to_owned());
        let prefix = DetectLocal::InterfaceNamePrefix("cni".to_owned());
        for (by, expected) in [
            (bridge, [true, false, false]),
            (prefix, [true, true, false]),
            (DetectLocal::None, [false; 3]),
        ] {
            let detection = Detection { by, ..Detection::default() };
            let found = ["cni0", "cni00", "eth0"].map(|name| detection.has_device(name));
            assert_eq!(found, expected, "{detection:?}");
        }
    }

    #[test]
    fn networks_count_with_all_that_is_inside() {
        let network = |kind: NetworkKind| Network { kind: kind.number(), ..Network::default() };
        let mut kinds: BTreeMap<IpNetwork, Network> = [
            ("10.1.1.0/24", NetworkKind::OwnPods),
            ("10.1.2.0/24", NetworkKind::OtherPods),
            ("192.0.2.1/32", NetworkKind::OwnNode),
        ]
        .map(|(text, kind)| (text.parse().unwrap(), network(kind)))
        .into();
        let by = DetectLocal::ClusterCidrs(cidrs(&["10.1.0.7/16", "10.2.0.0/16"]));
        Detection { by, ..Detection::default() }.mark(None, &mut kinds);
        let found: Vec<_> = kinds
            .iter()
            .map(|(network, value)| {
                let counts = value.flags.has(NetworkFlags::LOCAL_PODS);
                format!("{network} {:?} {counts}", NetworkKind::from_number(value.kind))
            })
            .collect();
        let expected = [
            "10.1.0.0/16 Outside true",
            "10.1.1.0/24 OwnPods true",
            "10.1.2.0/24 OtherPods true",
            "192.0.2.1/32 OwnNode false",
        ];
        assert_eq!(found, expected);
    }
}
