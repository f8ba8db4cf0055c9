//! Flows that the stack routes: translated towards the backend at the first hook, and back at the
//! last.

use std::net::SocketAddr;

use dataplane_common::abi::Delivery;
use waggle_tests::host::Hook;

use crate::row::{Expected, Row, Scene, agree, endpoint};

#[test]
fn the_stack_sees_client_and_backend_in_both_directions() {
    agree(Delivery::Stack, |scene| {
        let Scene { net, .. } = *scene;
        let opened = vec![(Hook::FromPod, scene.opening())];
        let mut rows = Vec::new();
        for backend in [net.local, net.remote] {
            let there = scene.opening().dst(endpoint(backend));
            let answer = scene.answer(backend);
            rows.push(scene.row("there", backend, scene.opening(), Expected::Next(there)));
            // A pod elsewhere has no link here.
            let hooks = [Hook::FromNetdev, Hook::FromPod];
            let hooks = if backend == net.local { &hooks[..] } else { &hooks[..1] };
            for hook in hooks.iter().copied() {
                rows.push(Row {
                    before: opened.clone(),
                    hook,
                    ..scene.row(
                        "an answer at its first hook",
                        backend,
                        answer.clone(),
                        Expected::Next(answer.clone()),
                    )
                });
            }
            rows.push(Row {
                before: opened.clone(),
                hook: Hook::ToPod,
                ..scene.row(
                    "an answer at its last hook",
                    backend,
                    answer.clone(),
                    Expected::Next(answer.src(net.frontend())),
                )
            });
        }
        rows
    });
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of rows")]
fn a_pod_that_is_its_own_backend_meets_a_stranger_behind_the_stack() {
    agree(Delivery::Stack, |scene| {
        let Scene { net, .. } = *scene;
        let stand_in = SocketAddr::new(net.hairpin, scene.client().port());
        let itself = endpoint(net.client);
        let opened = vec![(Hook::FromPod, scene.opening())];
        let routed = scene.packet(scene.client(), itself).syn();
        let answer = scene.packet(itself, stand_in).syn_ack();
        let routed_back = scene.packet(itself, scene.client()).syn_ack();
        vec![
            scene.row(
                "there, first hook",
                net.client,
                scene.opening(),
                Expected::Next(routed.clone()),
            ),
            Row {
                before: opened.clone(),
                hook: Hook::ToPod,
                ..scene.row(
                    "there, last hook",
                    net.client,
                    routed.clone(),
                    Expected::Next(routed.src(stand_in)),
                )
            },
            Row {
                before: opened.clone(),
                ..scene.row(
                    "back, first hook",
                    net.client,
                    answer,
                    Expected::Next(routed_back.clone()),
                )
            },
            Row {
                before: opened,
                hook: Hook::ToPod,
                ..scene.row(
                    "back, last hook",
                    net.client,
                    routed_back.clone(),
                    Expected::Next(routed_back.src(net.frontend())),
                )
            },
        ]
    });
}
