//! SCTP: addresses are rewritten, and neither ports nor the checksum, which stays right by that.

use std::net::{IpAddr, SocketAddr};

use dataplane_common::abi::Delivery;
use waggle_tests::host::Hook;
use waggle_tests::packet::Packet;
use waggle_tests::sctp::{crc, is_whole};
use waggle_tests::world::BACKEND_PORT;

use crate::row::{Expected, Row, Scene, agree_on_sctp, endpoint, into_pod};

/// A frontend of the Service, at its backends' port.
fn at(ip: IpAddr) -> SocketAddr {
    SocketAddr::new(ip, BACKEND_PORT)
}

/// Packets of an association in their order, from who opens it and from who answers.
fn association(scene: &Scene, from: SocketAddr, to: SocketAddr) -> [Packet; 3] {
    let there = scene.packet(from, to);
    [there.clone().syn(), there.clone(), there.fin()]
}

fn row(
    scene: &Scene,
    name: &'static str,
    before: &[(Hook, Packet)],
    (hook, packet): (Hook, Packet),
    expected: Expected,
) -> Row {
    Row { before: before.to_vec(), hook, ..scene.row(name, scene.net.local, packet, expected) }
}

#[test]
fn the_packets_of_these_tests_have_the_checksum_of_rfc_9260() {
    let ends = ["10.1.1.2:4000", "10.96.0.10:8080"].map(|end| end.parse().unwrap());
    let packet = Packet::sctp(ends[0], ends[1]).ip_packet();
    assert!(is_whole(&packet[20..]));
    let mut spoilt = packet.clone();
    spoilt[21] ^= 1;
    assert!(!is_whole(&spoilt[20..]), "ports count");
    // "123456789" of the catalogue of CRCs has 0xe3069283.
    assert_eq!(crc(*b"123456789"), 0xe306_9283);
}

#[test]
fn addresses_are_rewritten_in_bypass_and_nothing_else() {
    agree_on_sctp(Delivery::Bypass, |scene| {
        let Scene { net, .. } = *scene;
        let (client, backend) = (scene.client(), endpoint(net.local));
        let opened = [(Hook::FromPod, scene.packet(client, at(net.vip)).syn())];
        let mut rows = Vec::new();
        for packet in association(scene, client, at(net.vip)) {
            let there = into_pod(packet.clone().dst(backend).ttl(63), scene, net.local);
            rows.push(row(scene, "there", &opened, (Hook::FromPod, packet), there));
        }
        for packet in association(scene, backend, client) {
            let back = into_pod(packet.clone().src(at(net.vip)).ttl(63), scene, net.client);
            rows.push(row(scene, "back", &opened, (Hook::FromPod, packet), back));
        }
        let own = SocketAddr::new(net.node, scene.outside().port());
        let request = scene.packet(scene.outside(), at(net.external)).syn();
        let begun = [(Hook::FromNetdev, request.clone())];
        let there = into_pod(request.clone().src(own).dst(backend).ttl(63), scene, net.local);
        rows.push(row(scene, "masqueraded", &[], (Hook::FromNetdev, request), there));
        let answer = scene.packet(backend, own).syn_ack();
        let back = answer.clone().src(at(net.external)).dst(scene.outside()).ttl(63);
        let back = Expected::Redirect(back);
        rows.push(row(scene, "to outside", &begun, (Hook::FromPod, answer), back));
        rows
    });
}

#[test]
fn addresses_are_rewritten_at_both_hooks_and_nothing_else() {
    agree_on_sctp(Delivery::Stack, |scene| {
        let Scene { net, .. } = *scene;
        let (outside, backend) = (scene.outside(), endpoint(net.local));
        let own = SocketAddr::new(net.node, outside.port());
        let request = scene.packet(outside, at(net.external)).syn();
        let begun = [(Hook::FromNetdev, request.clone())];
        let inside = request.clone().dst(backend);
        let answer = scene.packet(backend, own).syn_ack();
        let within = answer.clone().dst(outside);
        let opened = [(Hook::FromPod, scene.packet(scene.client(), at(net.vip)).syn())];
        let to_client = scene.packet(backend, scene.client()).syn_ack();
        let next = Expected::Next;
        vec![
            row(scene, "in", &[], (Hook::FromNetdev, request), next(inside.clone())),
            row(scene, "to the pod", &begun, (Hook::ToPod, inside.clone()), next(inside.src(own))),
            row(scene, "back", &begun, (Hook::FromPod, answer), next(within.clone())),
            row(
                scene,
                "out",
                &begun,
                (Hook::ToNetdev, within.clone()),
                next(within.src(at(net.external))),
            ),
            row(
                scene,
                "to a client here",
                &opened,
                (Hook::ToPod, to_client.clone()),
                next(to_client.src(at(net.vip))),
            ),
        ]
    });
}

#[test]
fn what_would_need_another_port_or_is_of_nobody_is_dropped() {
    agree_on_sctp(Delivery::Bypass, |scene| {
        let Scene { net, .. } = *scene;
        let request = scene.packet(scene.client(), at(net.vip));
        let direct = scene.packet(scene.client(), endpoint(net.local)).syn();
        let opened = [(Hook::FromPod, request.clone().syn())];
        let from = |client| SocketAddr::new(client, scene.outside().port());
        let taken = [(Hook::FromNetdev, scene.packet(scene.outside(), at(net.external)).syn())];
        let other = scene.packet(from(net.stranger), at(net.external)).syn();
        let own = scene.packet(from(net.node), at(net.vip)).syn();
        let many = |mut row: Row| {
            row.world.backends.push(net.remote);
            row
        };
        let dropped =
            |name, before, hook, packet| row(scene, name, before, (hook, packet), Expected::Drop);
        vec![
            dropped("a port that another client has", &taken, Hook::FromNetdev, other),
            dropped("a direct association", &opened, Hook::FromPod, direct),
            many(dropped("in the middle", &[], Hook::FromPod, request.clone())),
            dropped("an abort", &[], Hook::FromPod, request.rst()),
            dropped("of the node itself", &[], Hook::ToNetdev, own),
        ]
    });
}
