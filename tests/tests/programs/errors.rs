//! What senders are told: ICMP errors of our own, and those of others about translated flows.

use dataplane_common::abi::Delivery;
use waggle_tests::host::Hook;
use waggle_tests::packet::Packet;
use waggle_tests::world::World;

use crate::row::{Expected, Proto, Row, Scene, agree, endpoint, into_pod};

/// Type and code of "nobody listens", IPv4's and IPv6's.
const UNREACHABLE: [[u8; 2]; 2] = [[3, 3], [1, 4]];
/// Type and code of "too big".
const TOO_BIG: [[u8; 2]; 2] = [[3, 4], [2, 0]];

fn of_family(scene: &Scene, [v4, v6]: [[u8; 2]; 2]) -> Expected {
    Expected::Answer(if scene.net.vip.is_ipv4() { v4 } else { v6 })
}

#[test]
fn a_frontend_that_nobody_serves_is_unreachable() {
    agree(Delivery::Bypass, |scene| {
        let nobody = World { backends: Vec::new(), ..scene.world(scene.net.local) };
        let mut rows = Vec::new();
        for payload in [0, 1, 32, 1000] {
            let packet = scene.opening().payload(payload);
            let expected = of_family(scene, UNREACHABLE);
            rows.push(Row {
                world: nobody.clone(),
                ..scene.row("a packet", scene.net.local, packet, expected)
            });
        }
        for frontend in scene.net.entrances() {
            rows.push(Row {
                world: nobody.clone(),
                hook: Hook::FromNetdev,
                ..scene.row(
                    "from outside",
                    scene.net.local,
                    scene.packet(scene.outside(), frontend).syn(),
                    of_family(scene, UNREACHABLE),
                )
            });
        }
        let tagged = scene.opening().vlans(&[5, 7]);
        rows.push(Row {
            world: nobody.clone(),
            ..scene.row(
                "in VLANs, where no answer is made",
                scene.net.local,
                tagged,
                Expected::Drop,
            )
        });
        rows
    });
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of rows")]
fn what_exceeds_the_next_links_mtu_is_answered_before_it_is_changed() {
    agree(Delivery::Bypass, |scene| {
        let Scene { net, .. } = *scene;
        let narrow =
            |backend, row: Row| Row { world: World { mtu: 1400, ..scene.world(backend) }, ..row };
        let big = scene.opening().payload(1400);
        let mut rows = vec![
            narrow(
                net.local,
                scene.row("into a pod", net.local, big.clone(), of_family(scene, TOO_BIG)),
            ),
            narrow(
                net.remote,
                scene.row("to a neighbour", net.remote, big.clone(), of_family(scene, TOO_BIG)),
            ),
            narrow(
                net.local,
                Row {
                    gso_size: 1390,
                    ..scene.row(
                        "segments that do not fit",
                        net.local,
                        scene.opening().payload(3000),
                        of_family(scene, TOO_BIG),
                    )
                },
            ),
            narrow(
                net.local,
                Row {
                    gso_size: 1300,
                    ..scene.row(
                        "segments that fit",
                        net.local,
                        scene.opening().payload(3000),
                        into_pod(
                            scene.opening().payload(3000).dst(endpoint(net.local)).ttl(63),
                            scene,
                            net.local,
                        ),
                    )
                },
            ),
        ];
        if net.vip.is_ipv4() {
            let packet = big.may_fragment();
            let expected = Expected::Next(packet.clone().dst(endpoint(net.local)));
            rows.push(narrow(
                net.local,
                scene.row("what routers may cut up", net.local, packet, expected),
            ));
        }
        rows
    });
}

#[test]
fn errors_of_others_speak_of_the_flow_as_their_receiver_knows_it() {
    agree(Delivery::Stack, |scene| {
        let Scene { net, .. } = *scene;
        let translated = scene.opening().dst(endpoint(net.local));
        let opened = vec![(Hook::FromPod, scene.opening())];
        let row = |name, sender, expected| Row {
            before: opened.clone(),
            hook: Hook::ToPod,
            ..scene.row(
                name,
                net.local,
                Packet::unreachable(sender, &translated),
                Expected::Next(Packet::unreachable(expected, &scene.opening())),
            )
        };
        vec![
            row("of the backend", net.local, net.vip),
            row("of a router on the way", net.gateway, net.gateway),
        ]
    });
}

#[test]
fn errors_of_a_client_reach_the_backend_as_its_own_flows() {
    agree(Delivery::Stack, |scene| {
        let Scene { net, .. } = *scene;
        let answer = scene.answer(net.local);
        let seen = answer.clone().src(net.frontend());
        vec![Row {
            before: vec![(Hook::FromPod, scene.opening())],
            ..scene.row(
                "about an answer",
                net.local,
                Packet::unreachable(net.client, &seen),
                Expected::Next(Packet::unreachable(net.client, &answer)),
            )
        }]
    });
}

/// Errors about masqueraded flows: they always go by the stack, so both deliveries are alike.
fn errors_from_and_to_outside(scene: &Scene) -> Vec<Row> {
    let net = scene.net;
    let [frontend, _] = net.entrances();
    let mut rows = Vec::new();
    for backend in [net.local, net.remote] {
        let request = scene.packet(scene.outside(), frontend).syn();
        let inside = request.clone().src(scene.inside()).dst(endpoint(backend));
        let beyond = inside.clone().src(scene.masqueraded());
        let answer = scene.packet(frontend, scene.outside()).syn_ack();
        let answer_inside = scene.packet(endpoint(backend), scene.inside()).syn_ack();
        let answer_beyond = scene.packet(endpoint(backend), scene.masqueraded()).syn_ack();
        let [first, last] = match backend == net.local {
            true => [Hook::FromPod, Hook::ToPod],
            false => [Hook::FromNetdev, Hook::ToNetdev],
        };
        for (name, hook, (sender, about), (to_sender, to_about)) in [
            ("a router's comes", Hook::FromNetdev, (net.gateway, &beyond), (net.gateway, &inside)),
            ("a router's leaves", Hook::ToNetdev, (net.gateway, &inside), (net.gateway, &request)),
            ("a backend's comes", first, (backend, &beyond), (backend, &inside)),
            ("a backend's leaves", Hook::ToNetdev, (backend, &inside), (frontend.ip(), &request)),
            (
                "a client's comes",
                Hook::FromNetdev,
                (net.outside, &answer),
                (net.outside, &answer_inside),
            ),
            ("a client's leaves", last, (net.outside, &answer_inside), (net.node, &answer_beyond)),
        ] {
            rows.push(Row {
                before: vec![(Hook::FromNetdev, request.clone())],
                hook,
                ..scene.row(
                    name,
                    backend,
                    Packet::unreachable(sender, about),
                    Expected::Next(Packet::unreachable(to_sender, to_about)),
                )
            });
        }
    }
    rows
}

#[test]
fn errors_about_masqueraded_flows_reach_both_ends_as_their_own() {
    for delivery in [Delivery::Bypass, Delivery::Stack] {
        agree(delivery, errors_from_and_to_outside);
    }
}

#[test]
fn what_belongs_to_no_flow_and_can_make_none_is_dropped() {
    agree(Delivery::Bypass, |scene| {
        let local = scene.net.local;
        let mut rows = vec![scene.row(
            "a later fragment to a frontend",
            local,
            scene.opening().later_fragment(),
            Expected::Drop,
        )];
        let [frontend, node_port] = scene.net.entrances();
        let fragment = |to| scene.packet(scene.outside(), to).later_fragment();
        for (name, packet, expected) in [
            ("a later fragment from outside", fragment(frontend), Expected::Drop),
            ("one to the node", fragment(node_port), Expected::Next(fragment(node_port))),
        ] {
            rows.push(Row { hook: Hook::FromNetdev, ..scene.row(name, local, packet, expected) });
        }
        if scene.proto == Proto::Tcp {
            rows.push(scene.row("a reset", local, scene.opening().rst(), Expected::Drop));
        }
        rows
    });
}
