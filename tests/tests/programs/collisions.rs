//! Direct connections beside live flows of the same tuple.

use std::net::SocketAddr;

use dataplane_common::abi::Delivery;
use waggle_tests::host::Hook;

use crate::row::{Expected, Proto, Row, Scene, agree, endpoint};

/// The first port of those that replace a client's own.
const OTHER_PORT: u16 = 61_000;

#[test]
fn a_direct_connection_beside_a_live_flow_has_a_port_of_its_own() {
    for delivery in [Delivery::Bypass, Delivery::Stack] {
        agree(delivery, |scene| {
            let Scene { net, .. } = *scene;
            if scene.proto == Proto::Udp {
                return Vec::new();
            }
            let backend = endpoint(net.local);
            let own = SocketAddr::new(net.client, OTHER_PORT);
            let direct = scene.packet(scene.client(), backend).syn();
            let answer = scene.packet(backend, own).syn_ack();
            let apart = || Expected::Next(direct.clone().src(own));
            let opened = vec![(Hook::FromPod, scene.opening())];
            let both = [opened.clone(), vec![(Hook::FromPod, direct.clone())]].concat();
            let row = |name, before: &[_], hook, packet, expected| Row {
                before: before.to_vec(),
                hook,
                ..scene.row(name, net.local, packet, expected)
            };
            let over = [opened.clone(), vec![(Hook::FromPod, scene.opening().rst())]].concat();
            vec![
                row("begins", &opened, Hook::FromPod, direct.clone(), apart()),
                row("begins again", &both, Hook::FromPod, direct.clone(), apart()),
                row(
                    "is answered",
                    &both,
                    Hook::ToPod,
                    answer.clone(),
                    Expected::Next(answer.dst(scene.client())),
                ),
                row("alone", &[], Hook::FromPod, direct.clone(), Expected::Next(direct.clone())),
                row("after it", &over, Hook::FromPod, direct.clone(), Expected::Next(direct)),
            ]
        });
    }
}
