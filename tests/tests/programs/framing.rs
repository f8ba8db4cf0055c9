//! Packets in shapes that are not the usual one.

use dataplane_common::abi::Delivery;
use waggle_tests::host::Hook;
use waggle_tests::packet::Packet;

use crate::row::{Expected, Proto, Row, Scene, agree, endpoint, into_pod};

#[test]
fn vlan_tags_end_where_a_packet_is_redirected() {
    agree(Delivery::Bypass, |scene| {
        let Scene { net, .. } = *scene;
        let mut rows = Vec::new();
        for tags in [&[7][..], &[5, 7]] {
            let packet = scene.opening().vlans(tags);
            let there = |backend| packet.clone().dst(endpoint(backend)).ttl(63);
            rows.push(scene.row(
                "into a pod",
                net.local,
                packet.clone(),
                into_pod(there(net.local), scene, net.local),
            ));
            rows.push(scene.row(
                "to a neighbour",
                net.remote,
                packet.clone(),
                Expected::Redirect(there(net.remote).vlans(&[])),
            ));
        }
        rows
    });
}

#[test]
fn vlan_tags_stay_where_the_stack_routes() {
    agree(Delivery::Stack, |scene| {
        let packet = scene.opening().vlans(&[5, 7]);
        let expected = Expected::Next(packet.clone().dst(endpoint(scene.net.local)));
        vec![scene.row("in VLANs", scene.net.local, packet, expected)]
    });
}

#[test]
fn packets_without_link_layer_header_get_one_where_they_are_redirected() {
    agree(Delivery::Bypass, |scene| {
        let Scene { net, .. } = *scene;
        let answer = scene.answer(net.remote).bare();
        let back = answer.clone().src(net.frontend()).ttl(63);
        let opened = vec![(Hook::FromPod, scene.opening())];
        let others = scene.packet(endpoint(net.stranger), scene.client()).bare();
        vec![
            Row {
                before: opened.clone(),
                hook: Hook::FromL3dev,
                ..scene.row("an answer", net.remote, answer, into_pod(back, scene, net.client))
            },
            Row {
                before: opened,
                hook: Hook::FromL3dev,
                ..scene.row("other traffic", net.remote, others.clone(), Expected::Next(others))
            },
        ]
    });
}

#[test]
fn udp_without_checksum_stays_without() {
    agree(Delivery::Bypass, |scene| {
        let Scene { net, proto, .. } = *scene;
        if proto == Proto::Tcp {
            return Vec::new();
        }
        let packet = scene.opening().without_checksum();
        let expected = into_pod(packet.clone().dst(endpoint(net.local)).ttl(63), scene, net.local);
        vec![scene.row("a datagram", net.local, packet, expected)]
    });
}

#[test]
fn a_checksum_that_comes_out_as_zero_is_sent_as_all_ones() {
    agree(Delivery::Bypass, |scene| {
        let Scene { net, proto, .. } = *scene;
        if proto == Proto::Tcp {
            return Vec::new();
        }
        // Of all source ports one makes the sum zero: with it, the field must not say "none".
        let zero = (1..=u16::MAX).find(|port| {
            let client = std::net::SocketAddr::new(net.client, *port);
            let there = Packet::udp(client, endpoint(net.local));
            checksum(&there) == [0xff; 2]
        });
        let client = std::net::SocketAddr::new(net.client, zero.unwrap());
        let packet = scene.opening().src(client);
        let expected = into_pod(packet.clone().dst(endpoint(net.local)).ttl(63), scene, net.local);
        vec![scene.row("a datagram", net.local, packet, expected)]
    });
}

fn checksum(datagram: &Packet) -> [u8; 2] {
    let bytes = datagram.build();
    let packet = etherparse::SlicedPacket::from_ethernet(&bytes).unwrap();
    match packet.transport.unwrap() {
        etherparse::TransportSlice::Udp(udp) => udp.checksum().to_be_bytes(),
        other => panic!("no datagram: {other:?}"),
    }
}
