//! Connections to pods that are no more.

use dataplane_common::abi::{BackendState, Delivery};
use waggle_tests::host::Hook;
use waggle_tests::packet::Packet;
use waggle_tests::world::World;

use crate::row::{Expected, Proto, Row, Scene, agree, endpoint, into_pod};

/// By the way of delivery and the state of the backend, what a pod that is gone comes to.
#[test]
fn a_client_whose_backend_is_gone_is_told_at_once() {
    use BackendState::{Active, Dead, Terminating};
    for (delivery, state) in [
        (Delivery::Bypass, Active),
        (Delivery::Bypass, Dead),
        (Delivery::Stack, Terminating),
        (Delivery::Stack, Dead),
    ] {
        agree(delivery, |scene| {
            let local = scene.net.local;
            let told = scene.proto == Proto::Tcp;
            let [entrance, _] = scene.net.entrances();
            let outside = scene.packet(scene.outside(), entrance);
            let mut rows = Vec::new();
            for (hook, opening) in
                [(Hook::FromPod, scene.opening()), (Hook::FromNetdev, outside.syn())]
            {
                let row = |name, packet: Packet| Row {
                    before: vec![(hook, opening.clone()), (hook, opening.clone().ack())],
                    since: Some(World { is_gone: true, state, ..scene.world(local) }),
                    hook,
                    ..scene.row(name, local, packet, Expected::Reset)
                };
                if told {
                    rows.push(row("goes on", opening.clone().ack()));
                    rows.push(row("ends", opening.clone().fin().payload(0)));
                }
            }
            rows
        });
    }
}

#[test]
fn established_connections_stay_with_a_pod_that_lives() {
    for state in [BackendState::Terminating, BackendState::Dead] {
        agree(Delivery::Bypass, |scene| {
            if scene.proto == Proto::Udp {
                return Vec::new();
            }
            let (local, later) = (scene.net.local, scene.opening().ack());
            let there = later.clone().dst(endpoint(local)).ttl(63);
            vec![Row {
                before: vec![(Hook::FromPod, scene.opening())],
                since: Some(World { state, ..scene.world(local) }),
                ..scene.row("goes on", local, later, into_pod(there, scene, local))
            }]
        });
    }
}

#[test]
fn the_node_answers_for_a_pod_that_is_gone() {
    agree(Delivery::Bypass, |scene| {
        if scene.proto == Proto::Udp {
            return Vec::new();
        }
        let direct = scene.packet(scene.outside(), endpoint(scene.net.local));
        let row = |(name, is_gone, packet, told): (_, _, &Packet, _)| {
            let expected = if told { Expected::Reset } else { Expected::Next(packet.clone()) };
            Row {
                world: World { is_gone, ..scene.world(scene.net.remote) },
                hook: Hook::FromNetdev,
                ..scene.row(name, scene.net.remote, packet.clone(), expected)
            }
        };
        let (later, opening, reset) =
            (direct.clone().ack(), direct.clone().syn(), direct.clone().rst());
        [
            ("there", false, &later, false),
            ("gone", true, &later, true),
            ("gone, the begin", true, &opening, false),
            ("gone, the end by force", true, &reset, false),
        ]
        .map(row)
        .into()
    });
}

/// What a node without the pod gets in its name is its client's as any answer.
#[test]
fn the_reset_of_a_pod_elsewhere_is_the_frontends_to_its_client() {
    agree(Delivery::Stack, |scene: &Scene| {
        if scene.proto == Proto::Udp {
            return Vec::new();
        }
        let remote = scene.net.remote;
        let reset = scene.packet(endpoint(remote), scene.client()).rst();
        vec![Row {
            before: vec![(Hook::FromPod, scene.opening())],
            hook: Hook::ToPod,
            ..scene.row(
                "comes",
                remote,
                reset.clone(),
                Expected::Next(reset.src(scene.net.frontend())),
            )
        }]
    });
}
