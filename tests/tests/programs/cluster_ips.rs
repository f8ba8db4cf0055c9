//! Cluster IPs where there is no frontend: ports that nobody serves, and addresses that nobody has.

use std::net::SocketAddr;

use dataplane_common::abi::Delivery;
use waggle_tests::host::Hook;
use waggle_tests::packet::Packet;

use crate::row::{Expected, Proto, Row, Scene, agree};

/// Nobody serves it.
const UNSERVED: u16 = 81;

/// As the ICMP of the scene's family says that nobody listens at a port.
fn refused(scene: &Scene) -> Expected {
    Expected::Answer(if scene.net.vip.is_ipv4() { [3, 3] } else { [1, 4] })
}

#[test]
fn ports_of_a_cluster_ip_that_nobody_serves_are_refused() {
    agree(Delivery::Bypass, |scene| {
        let net = scene.net;
        let unserved = SocketAddr::new(net.vip, UNSERVED);
        let outside = SocketAddr::new(net.external, UNSERVED);
        let row =
            |name, packet: &Packet, expected| scene.row(name, net.local, packet.clone(), expected);
        let opening = scene.packet(scene.client(), unserved).syn();
        let from_outside = scene.packet(scene.outside(), unserved).syn();
        let elsewhere = scene.packet(scene.client(), outside).syn();
        let ping = Packet::echo(net.client, net.vip);
        let ping_elsewhere = Packet::echo(net.client, net.external);
        let tunnel = Packet::other(net.client, net.vip);
        let mut rows = vec![
            row("from a pod", &opening, refused(scene)),
            Row { hook: Hook::FromNetdev, ..row("from outside", &from_outside, refused(scene)) },
            row("at an external address", &elsewhere, Expected::Next(elsewhere.clone())),
            row("a ping", &ping, refused(scene)),
            row("a ping elsewhere", &ping_elsewhere, Expected::Next(ping_elsewhere.clone())),
            row("no ports at all", &tunnel, refused(scene)),
        ];
        if scene.proto == Proto::Tcp {
            let later = opening.clone().ack();
            rows.push(row("what does not begin", &later, Expected::Next(later.clone())));
        }
        rows
    });
}

#[test]
fn the_node_itself_sends_nothing_to_a_cluster_ip_that_nobody_serves() {
    agree(Delivery::Bypass, |scene| {
        let net = scene.net;
        let node = SocketAddr::new(net.node, 40_000);
        let row = |name, packet: &Packet, expected| Row {
            hook: Hook::ToNetdev,
            ..scene.row(name, net.local, packet.clone(), expected)
        };
        let unserved = scene.packet(node, SocketAddr::new(net.vip, UNSERVED)).syn();
        let served = scene.packet(node, net.frontend()).syn();
        vec![
            row("a port", &unserved, Expected::Drop),
            row("a ping", &Packet::echo(net.node, net.vip), Expected::Drop),
            row("what is served", &served, Expected::Next(served.clone())),
        ]
    });
}

#[test]
fn an_address_that_no_service_has_is_dropped_where_it_would_leave() {
    agree(Delivery::Bypass, |scene| {
        let net = scene.net;
        let unallocated = SocketAddr::new(net.unallocated, 80);
        let opening = scene.packet(scene.client(), unallocated).syn();
        let ping = Packet::echo(net.client, net.unallocated);
        let fragment = opening.clone().later_fragment();
        let row = |name, hook, packet: &Packet, drops: bool| {
            let expected = if drops { Expected::Drop } else { Expected::Next(packet.clone()) };
            Row { hook, ..scene.row(name, net.local, packet.clone(), expected) }
        };
        let mut rows = vec![
            row("comes", Hook::FromPod, &opening, false),
            row("leaves", Hook::ToNetdev, &opening, true),
            row("leaves for a device without frames", Hook::ToL3dev, &opening.clone().bare(), true),
            row("leaves for a pod", Hook::ToPod, &opening, true),
            row("a ping comes", Hook::FromPod, &ping, false),
            row("a ping leaves", Hook::ToNetdev, &ping, true),
            row("a fragment leaves", Hook::ToNetdev, &fragment, false),
        ];
        if scene.proto == Proto::Tcp {
            let later = opening.clone().ack();
            rows.push(row("what does not begin", Hook::ToNetdev, &later, false));
        }
        rows
    });
}
