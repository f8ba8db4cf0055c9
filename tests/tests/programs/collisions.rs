//! What goes to a backend itself beside flows by a Service, by the same tuple.

use std::net::SocketAddr;

use dataplane_common::abi::Delivery;
use waggle_tests::host::Hook;
use waggle_tests::world::World;

use crate::row::{Expected, Proto, Row, Scene, agree, endpoint, into_pod};

/// The first port of those that replace a client's own.
const OTHER_PORT: u16 = 61_000;

#[test]
fn what_goes_to_a_backend_itself_beside_a_live_flow_has_a_port_of_its_own() {
    for delivery in [Delivery::Bypass, Delivery::Stack] {
        agree(delivery, |scene| {
            let Scene { net, .. } = *scene;
            let backend = endpoint(net.local);
            let own = SocketAddr::new(net.client, OTHER_PORT);
            let direct = scene.packet(scene.client(), backend).syn();
            let answer = scene.packet(backend, own).syn_ack();
            let apart = || Expected::Next(direct.clone().src(own));
            let back = Expected::Next(answer.clone().dst(scene.client()));
            let opened = vec![(Hook::FromPod, scene.opening())];
            let both = [opened.clone(), vec![(Hook::FromPod, direct.clone())]].concat();
            let row = |name, before: &[_], hook, packet, expected| Row {
                before: before.to_vec(),
                hook,
                ..scene.row(name, net.local, packet, expected)
            };
            let mut rows = vec![
                row("begins", &opened, Hook::FromPod, direct.clone(), apart()),
                row("begins again", &both, Hook::FromPod, direct.clone(), apart()),
                row("is answered", &both, Hook::ToPod, answer.clone(), back),
                row("alone", &[], Hook::FromPod, direct.clone(), Expected::Next(direct.clone())),
            ];
            if scene.proto == Proto::Tcp {
                let over = [opened, vec![(Hook::FromPod, scene.opening().rst())]].concat();
                let alone = Expected::Next(direct.clone());
                rows.push(row("after it", &over, Hook::FromPod, direct, alone));
            }
            rows
        });
    }
}

/// The sockets are real ones, in a namespace of their own.
#[test]
fn a_flow_beside_a_socket_that_is_connected_to_its_backend_has_a_port_of_its_own() {
    for delivery in [Delivery::Bypass, Delivery::Stack] {
        agree(delivery, |scene| {
            let Scene { net, .. } = *scene;
            let (kept, backend) = (scene.client(), endpoint(net.local));
            let own = |port| SocketAddr::new(net.client, port);
            let closed = SocketAddr::new(net.local, 9);
            let mut rows = Vec::new();
            for (name, socket, source) in [
                ("by its tuple", (kept, backend), own(OTHER_PORT)),
                ("by another port of its own", (own(40_001), backend), kept),
                ("to another port", (kept, closed), kept),
            ] {
                let seen = scene.opening().src(source).dst(backend);
                let expected = match delivery {
                    Delivery::Bypass => into_pod(seen.ttl(63), scene, net.local),
                    Delivery::Stack => Expected::Next(seen),
                };
                rows.push(beside(
                    scene,
                    socket,
                    scene.row(name, net.local, scene.opening(), expected),
                ));
            }
            rows.extend(direct_rows(scene));
            rows
        });
    }
}

/// What goes to the backend itself, and comes from it, beside a flow that began after.
fn direct_rows(scene: &Scene) -> [Row; 2] {
    let (kept, backend) = (scene.client(), endpoint(scene.net.local));
    let there = scene.packet(kept, backend);
    let back = scene.packet(backend, kept).syn_ack();
    [("goes on", Hook::FromPod, there), ("is answered", Hook::ToPod, back)].map(
        |(name, hook, packet)| {
            let row = scene.row(name, scene.net.local, packet.clone(), Expected::Next(packet));
            let before = vec![(Hook::FromPod, scene.opening())];
            beside(scene, (kept, backend), Row { before, hook, ..row })
        },
    )
}

/// The row in a world in which the client has a socket, by which it has sent before.
fn beside(scene: &Scene, socket: (SocketAddr, SocketAddr), row: Row) -> Row {
    let sent = (Hook::FromPod, scene.packet(socket.0, socket.1));
    let before = [vec![sent], row.before].concat();
    let world = World { connected: vec![socket], ..scene.world(scene.net.local) };
    Row { world, before, ..row }
}
