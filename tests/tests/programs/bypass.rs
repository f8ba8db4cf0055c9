//! Flows that the first hook translates and redirects, in both directions.

use dataplane_common::abi::{BackendState, Delivery, PodFlags};
use waggle_tests::host::Hook;
use waggle_tests::world::World;

use crate::row::{Expected, Row, Scene, agree, endpoint, into_pod};

#[test]
#[expect(clippy::too_many_lines, reason = "a table of rows")]
fn flows_are_translated_and_redirected_at_their_first_hook() {
    agree(Delivery::Bypass, |scene| {
        let Scene { net, .. } = *scene;
        let there =
            |packet: waggle_tests::packet::Packet, backend| packet.dst(endpoint(backend)).ttl(63);
        let back = |backend| scene.answer(backend).src(net.frontend()).ttl(63);
        let opened = |backend, row: Row| Row {
            before: vec![(Hook::FromPod, scene.opening())],
            ..Row { world: scene.world(backend), ..row }
        };
        let next = scene.opening().ack();
        vec![
            scene.row(
                "a new flow to a pod of this node",
                net.local,
                scene.opening(),
                into_pod(there(scene.opening(), net.local), scene, net.local),
            ),
            opened(
                net.local,
                scene.row(
                    "its next packet",
                    net.local,
                    next.clone(),
                    into_pod(there(next.clone(), net.local), scene, net.local),
                ),
            ),
            opened(
                net.local,
                scene.row(
                    "its answer",
                    net.local,
                    scene.answer(net.local),
                    into_pod(back(net.local), scene, net.client),
                ),
            ),
            scene.row(
                "a new flow to a pod of another node",
                net.remote,
                scene.opening(),
                Expected::Redirect(there(scene.opening(), net.remote)),
            ),
            opened(
                net.remote,
                Row {
                    hook: Hook::FromNetdev,
                    ..scene.row(
                        "its answer from there",
                        net.remote,
                        scene.answer(net.remote),
                        into_pod(back(net.remote), scene, net.client),
                    )
                },
            ),
            scene.row(
                "any segment begins a flow",
                net.local,
                next.clone(),
                into_pod(there(next, net.local), scene, net.local),
            ),
        ]
    });
}

#[test]
fn a_pod_that_is_its_own_backend_meets_a_stranger() {
    agree(Delivery::Bypass, |scene| {
        let Scene { net, .. } = *scene;
        let stand_in = std::net::SocketAddr::new(net.hairpin, scene.client().port());
        let met = scene.opening().src(stand_in).dst(endpoint(net.client)).ttl(63);
        let answer = scene.packet(endpoint(net.client), stand_in).syn_ack();
        let answered = answer.clone().src(net.frontend()).dst(scene.client()).ttl(63);
        vec![
            scene.row(
                "the way there",
                net.client,
                scene.opening(),
                into_pod(met, scene, net.client),
            ),
            Row {
                before: vec![(Hook::FromPod, scene.opening())],
                ..scene.row(
                    "the way back",
                    net.client,
                    answer,
                    into_pod(answered, scene, net.client),
                )
            },
        ]
    });
}

#[test]
fn what_only_the_stack_can_deliver_is_left_to_it() {
    agree(Delivery::Bypass, |scene| {
        let Scene { net, .. } = *scene;
        let to_backend =
            |packet: waggle_tests::packet::Packet| Expected::Next(packet.dst(endpoint(net.local)));
        let stranger = scene.packet(scene.client(), endpoint(net.stranger)).syn();
        let last_hop = scene.opening().ttl(1);
        let mut limited = scene.row(
            "a pod whose link has limits",
            net.local,
            scene.opening(),
            to_backend(scene.opening()),
        );
        limited.world.flags = PodFlags::NO_PEER;
        vec![
            limited,
            scene.row(
                "a packet on its last hop",
                net.local,
                last_hop.clone(),
                to_backend(last_hop),
            ),
            scene.row(
                "a backend that no route leads to",
                net.stranger,
                scene.opening(),
                Expected::Next(scene.opening().dst(endpoint(net.stranger))),
            ),
            scene.row("traffic of others", net.local, stranger.clone(), Expected::Next(stranger)),
        ]
    });
}

#[test]
fn a_flow_leaves_a_backend_that_is_gone() {
    agree(Delivery::Bypass, |scene| {
        let Scene { net, .. } = *scene;
        let dead = World { state: BackendState::Dead, ..scene.world(net.local) };
        let moved = scene.opening().dst(endpoint(net.local)).ttl(63);
        vec![Row {
            world: dead,
            before: vec![(Hook::FromPod, scene.opening())],
            ..scene.row(
                "the next opening packet makes the flow anew",
                net.local,
                scene.opening(),
                into_pod(moved, scene, net.local),
            )
        }]
    });
}
