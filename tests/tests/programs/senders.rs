//! Whose packet it is: device and source address together.

use std::net::{IpAddr, SocketAddr};

use dataplane_common::abi::{Delivery, LinkFlags, ServiceFlags};
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
