//! Whose packet it is: device and source address together.

use std::net::{IpAddr, SocketAddr};

use dataplane_common::abi::{Delivery, LinkFlags, NetworkFlags, NodeFlags, ServiceFlags};
use waggle_tests::host::Hook;
use waggle_tests::world::{NAT_PORTS, World};

use crate::row::{Expected, Row, Scene, agree, endpoint};

const UPLINK: LinkFlags = LinkFlags(0);

/// Senders that come in by a device, of which those of this node's pods are behind that device.
fn senders(scene: &Scene) -> Vec<(&'static str, LinkFlags, IpAddr, bool)> {
    let net = scene.net;
    let workloads = LinkFlags::WORKLOADS;
    vec![
        ("a pod of others", workloads, net.client, true),
        ("a forged node behind pods", workloads, net.node, false),
        ("a forged pod of elsewhere", workloads, net.remote, false),
        ("a stranger behind pods", workloads, net.outside, false),
        ("a forged pod", UPLINK, net.client, false),
        ("a forged node", UPLINK, net.node, false),
        ("a pod of elsewhere", UPLINK, net.remote, false),
        ("another node", UPLINK, net.gateway, false),
        ("somebody outside", UPLINK, net.outside, false),
    ]
}

#[test]
fn only_pods_of_this_node_keep_their_address_inside() {
    agree(Delivery::Stack, |scene| {
        let net = scene.net;
        let row = |(name, uplink, src, is_pod)| {
            let opening = scene.packet(SocketAddr::new(src, 40_000), net.frontend()).syn();
            let there = opening.clone().dst(endpoint(net.local));
            let hidden = SocketAddr::new(src, NAT_PORTS[0]);
            let there = if is_pod { there } else { there.src(hidden) };
            Row {
                world: World { uplink, ..scene.world(net.local) },
                hook: Hook::FromNetdev,
                ..scene.row(name, net.local, opening, Expected::Next(there))
            }
        };
        senders(scene).into_iter().map(row).collect()
    });
}

#[test]
fn only_pods_of_this_node_are_served_elsewhere_under_the_local_policy() {
    agree(Delivery::Bypass, |scene| {
        let net = scene.net;
        let mut rows = Vec::new();
        for (name, uplink, src, is_pod) in senders(scene) {
            for frontend in net.entrances() {
                let opening = scene.packet(SocketAddr::new(src, 40_000), frontend).syn();
                let there = Expected::Next(opening.clone().dst(endpoint(net.remote)));
                let external = ServiceFlags::EXTERNAL_LOCAL;
                rows.push(Row {
                    world: World { uplink, external, ..scene.world(net.remote) },
                    hook: Hook::FromNetdev,
                    ..scene.row(
                        name,
                        net.remote,
                        opening,
                        if is_pod { there } else { Expected::Drop },
                    )
                });
            }
        }
        rows
    });
}

/// What the node goes by, the uplink's switches and those of the networks of pods; and whether a pod
/// and a client behind the uplink keep their address inside.
#[test]
fn who_counts_as_a_pod_keeps_its_address_inside() {
    agree(Delivery::Stack, |scene| {
        let net = scene.net;
        let mut rows = Vec::new();
        let plain = NetworkFlags::default();
        for (node_flags, uplink, pod_networks, keeps) in [
            (NodeFlags::default(), UPLINK, plain, [true, false]),
            (NodeFlags::PODS_BY_NETWORK, UPLINK, plain, [false, false]),
            (NodeFlags::PODS_BY_NETWORK, UPLINK, NetworkFlags::LOCAL_PODS, [true, false]),
            (NodeFlags::PODS_BY_DEVICE, UPLINK, plain, [true, false]),
            (NodeFlags::PODS_BY_DEVICE, LinkFlags::LOCAL_PODS, plain, [true, true]),
        ] {
            let senders = [
                ("a pod", Hook::FromPod, net.client),
                ("by the uplink", Hook::FromNetdev, net.outside),
            ];
            for ((name, hook, src), keeps) in senders.into_iter().zip(keeps) {
                let opening = scene.packet(SocketAddr::new(src, 40_000), net.frontend()).syn();
                let there = opening.clone().dst(endpoint(net.local));
                let hidden = SocketAddr::new(src, NAT_PORTS[0]);
                let there = if keeps { there } else { there.src(hidden) };
                let world = World { node_flags, uplink, pod_networks, ..scene.world(net.local) };
                let row = scene.row(name, net.local, opening, Expected::Next(there));
                rows.push(Row { world, hook, ..row });
            }
        }
        rows
    });
}

#[test]
fn who_is_its_own_backend_elsewhere_sees_the_node_whatever_counts_as_a_pod() {
    agree(Delivery::Stack, |scene| {
        let Scene { net, .. } = *scene;
        let unknown = NodeFlags::PODS_UNKNOWN4.union(NodeFlags::PODS_UNKNOWN6);
        let row = |(name, backend, port)| {
            let opening = scene.packet(SocketAddr::new(net.remote, 40_000), net.frontend()).syn();
            let there = opening.clone().src(SocketAddr::new(net.remote, port));
            Row {
                world: World { node_flags: unknown, ..scene.world(backend) },
                hook: Hook::FromNetdev,
                ..scene.row(name, backend, opening, Expected::Next(there.dst(endpoint(backend))))
            }
        };
        [("itself", net.remote, NAT_PORTS[0]), ("another", net.local, 40_000)].map(row).into()
    });
}
