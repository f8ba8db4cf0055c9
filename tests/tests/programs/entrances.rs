//! Flows that begin outside, at a load balancer's address and at a NodePort.

use std::net::SocketAddr;

use dataplane_common::abi::{Delivery, ServiceFlags};
use waggle_tests::host::Hook;
use waggle_tests::packet::Packet;
use waggle_tests::world::World;

use crate::row::{Expected, Row, Scene, agree, endpoint, into_pod};

/// The rows of a function for each entrance.
fn at_entrances(scene: &Scene, rows: impl Fn(SocketAddr) -> Vec<Row>) -> Vec<Row> {
    scene.net.entrances().into_iter().flat_map(rows).collect()
}

fn opening(scene: &Scene, frontend: SocketAddr) -> Packet {
    scene.packet(scene.outside(), frontend).syn()
}

#[test]
fn flows_from_outside_are_masqueraded_and_redirected_at_their_first_hook() {
    agree(Delivery::Bypass, |scene| {
        at_entrances(scene, |frontend| {
            let [local, remote] = [scene.net.local, scene.net.remote];
            let opening = opening(scene, frontend);
            let there =
                |backend| opening.clone().src(scene.masqueraded()).dst(endpoint(backend)).ttl(63);
            let row = |name, backend, before: &[_], expected| Row {
                before: before.to_vec(),
                hook: Hook::FromNetdev,
                ..scene.row(name, backend, opening.clone(), expected)
            };
            let opened = [(Hook::FromNetdev, opening.clone())];
            let to_local = || into_pod(there(local), scene, local);
            vec![
                row("the first to a pod here", local, &[], to_local()),
                row("the next to a pod here", local, &opened, to_local()),
                row("the first elsewhere", remote, &[], Expected::Redirect(there(remote))),
            ]
        })
    });
}

#[test]
fn answers_to_clients_outside_are_the_frontends_at_their_first_hook() {
    agree(Delivery::Bypass, |scene| {
        at_entrances(scene, |frontend| {
            let row = |name, backend, hook| {
                let answer = scene.packet(endpoint(backend), scene.masqueraded()).syn_ack();
                let back = answer.clone().src(frontend).dst(scene.outside()).ttl(63);
                Row {
                    before: vec![(Hook::FromNetdev, opening(scene, frontend))],
                    hook,
                    ..scene.row(name, backend, answer, Expected::Redirect(back))
                }
            };
            vec![
                row("of a pod here", scene.net.local, Hook::FromPod),
                row("of elsewhere", scene.net.remote, Hook::FromNetdev),
            ]
        })
    });
}

#[test]
fn the_stack_sees_clients_outside_with_the_port_that_stands_for_them() {
    agree(Delivery::Stack, |scene| {
        let Scene { net, .. } = *scene;
        at_entrances(scene, |frontend| {
            let opening = opening(scene, frontend);
            let mut rows = Vec::new();
            for backend in [net.local, net.remote, net.node] {
                let is_pod = backend == net.local;
                let first = if is_pod { Hook::FromPod } else { Hook::FromNetdev };
                let routed = opening.clone().src(scene.inside()).dst(endpoint(backend));
                let leaves = routed.clone().src(scene.masqueraded());
                let answer = scene.packet(endpoint(backend), scene.masqueraded()).syn_ack();
                let answer_routed = answer.clone().dst(scene.inside());
                let answer_leaves = answer.clone().src(frontend).dst(scene.outside());
                for (name, hook, packet, expected) in [
                    ("comes", Hook::FromNetdev, opening.clone(), routed.clone()),
                    ("leaves for a device", Hook::ToNetdev, routed.clone(), leaves.clone()),
                    (
                        "leaves for a device without frames",
                        Hook::ToL3dev,
                        routed.clone().bare(),
                        leaves.clone().bare(),
                    ),
                    ("leaves for a pod", Hook::ToPod, routed.clone(), leaves.clone()),
                    ("answer comes", first, answer.clone(), answer_routed.clone()),
                    ("answer leaves", Hook::ToNetdev, answer_routed.clone(), answer_leaves.clone()),
                ] {
                    rows.push(Row {
                        before: vec![(Hook::FromNetdev, opening.clone())],
                        hook,
                        ..scene.row(name, backend, packet, Expected::Next(expected))
                    });
                }
            }
            rows
        })
    });
}

#[test]
fn the_local_policy_keeps_clients_and_serves_them_here_or_not_at_all() {
    agree(Delivery::Stack, |scene| {
        let Scene { net, .. } = *scene;
        at_entrances(scene, |frontend| {
            let opening = opening(scene, frontend);
            let there = opening.clone().dst(endpoint(net.local));
            let answer = scene.packet(endpoint(net.local), scene.outside()).syn_ack();
            let row = |name, backend, hook, packet, expected| Row {
                world: World { external: ServiceFlags::EXTERNAL_LOCAL, ..scene.world(backend) },
                before: vec![(Hook::FromNetdev, opening.clone())],
                hook,
                ..scene.row(name, backend, packet, expected)
            };
            vec![
                row("comes", net.local, Hook::FromNetdev, opening.clone(), Expected::Next(there)),
                row(
                    "answer leaves",
                    net.local,
                    Hook::ToNetdev,
                    answer.clone(),
                    Expected::Next(answer.src(frontend)),
                ),
                row("nobody here", net.remote, Hook::FromNetdev, opening.clone(), Expected::Drop),
            ]
        })
    });
}

#[test]
fn clients_are_kept_on_request_where_their_backend_is_here() {
    agree(Delivery::Bypass, |scene| {
        let Scene { net, .. } = *scene;
        at_entrances(scene, |frontend| {
            let opening = opening(scene, frontend);
            let there = opening.clone().dst(endpoint(net.local)).ttl(63);
            vec![Row {
                world: World { external: ServiceFlags::KEEP_CLIENT, ..scene.world(net.local) },
                hook: Hook::FromNetdev,
                ..scene.row("kept", net.local, opening, into_pod(there, scene, net.local))
            }]
        })
    });
}

#[test]
fn a_pod_reaches_the_node_ports_of_its_own_node() {
    agree(Delivery::Bypass, |scene| {
        let Scene { net, .. } = *scene;
        at_entrances(scene, |frontend| {
            let opening = scene.packet(scene.client(), frontend).syn();
            let there = opening.clone().src(scene.masqueraded()).dst(endpoint(net.local)).ttl(63);
            let answer = scene.packet(endpoint(net.local), scene.masqueraded()).syn_ack();
            let back = answer.clone().src(frontend).dst(scene.client()).ttl(63);
            vec![
                scene.row("there", net.local, opening.clone(), into_pod(there, scene, net.local)),
                Row {
                    before: vec![(Hook::FromPod, opening)],
                    ..scene.row("back", net.local, answer, into_pod(back, scene, net.client))
                },
            ]
        })
    });
}

#[test]
fn packets_without_link_layer_header_begin_flows_too() {
    agree(Delivery::Bypass, |scene| {
        let Scene { net, .. } = *scene;
        at_entrances(scene, |frontend| {
            let opening = opening(scene, frontend).bare();
            let there = opening.clone().src(scene.masqueraded()).dst(endpoint(net.local)).ttl(63);
            vec![Row {
                hook: Hook::FromL3dev,
                ..scene.row("there", net.local, opening, into_pod(there, scene, net.local))
            }]
        })
    });
}

#[test]
fn frames_for_other_stations_pass() {
    agree(Delivery::Bypass, |scene| {
        at_entrances(scene, |frontend| {
            let [others, sender] = [[2, 0, 0, 0, 0, 9], [2, 0, 0, 0, 0, 8]];
            let overheard = opening(scene, frontend).macs(others, sender);
            let expected = Expected::Next(overheard.clone());
            vec![Row {
                hook: Hook::FromNetdev,
                ..scene.row("overheard", scene.net.local, overheard, expected)
            }]
        })
    });
}

#[test]
fn what_the_node_itself_must_not_begin_is_dropped_where_it_leaves() {
    agree(Delivery::Bypass, |scene| {
        let Scene { net, .. } = *scene;
        let node = SocketAddr::new(net.node, 40_000);
        let own = scene.packet(node, net.frontend()).syn();
        let hidden = World { internal: ServiceFlags::INTERNAL_LOCAL, ..scene.world(net.remote) };
        let row = |name, world, expected| Row {
            world,
            hook: Hook::ToNetdev,
            ..scene.row(name, net.remote, own.clone(), expected)
        };
        vec![
            row("served elsewhere", scene.world(net.remote), Expected::Next(own.clone())),
            row("hidden", hidden, Expected::Drop),
        ]
    });
}
