//! Fragments of a datagram: what becomes of the first becomes of the others.

use dataplane_common::abi::Delivery;
use waggle_tests::host::Hook;
use waggle_tests::packet::Packet;

use crate::row::{Expected, Row, Scene, agree, endpoint, into_pod};

/// The hooks that a datagram's first fragment meets, in which shape, and then a later one.
fn row(
    scene: &Scene,
    name: &'static str,
    before: &[(Hook, Packet)],
    (hook, datagram): (Hook, Packet),
    expected: impl FnOnce(Packet) -> Expected,
) -> Row {
    let first = (hook, datagram.clone().first_fragment());
    let later = datagram.later_fragment();
    Row {
        before: before.iter().cloned().chain([first]).collect(),
        hook,
        ..scene.row(name, scene.net.local, later.clone(), expected(later))
    }
}

#[test]
fn later_fragments_of_bypass_flows_are_redirected_like_their_first() {
    agree(Delivery::Bypass, |scene| {
        let Scene { net, .. } = *scene;
        let opened = [(Hook::FromPod, scene.opening())];
        vec![
            row(scene, "a request", &[], (Hook::FromPod, scene.opening()), |later| {
                into_pod(later.dst(endpoint(net.local)).ttl(63), scene, net.local)
            }),
            row(scene, "an answer", &opened, (Hook::FromPod, scene.answer(net.local)), |later| {
                into_pod(later.src(net.frontend()).ttl(63), scene, net.client)
            }),
        ]
    });
}

#[test]
fn later_fragments_of_the_stacks_flows_are_translated_at_both_hooks() {
    agree(Delivery::Stack, |scene| {
        let Scene { net, .. } = *scene;
        let opened = [(Hook::FromPod, scene.opening())];
        let [frontend, _] = net.entrances();
        let request = scene.packet(scene.outside(), frontend).syn();
        let begun = [(Hook::FromNetdev, request.clone())];
        let inside = request.clone().src(scene.inside()).dst(endpoint(net.local));
        let answer = scene.packet(endpoint(net.local), scene.masqueraded()).syn_ack();
        vec![
            row(scene, "a request", &[], (Hook::FromPod, scene.opening()), |later| {
                Expected::Next(later.dst(endpoint(net.local)))
            }),
            row(scene, "an answer", &opened, (Hook::ToPod, scene.answer(net.local)), |later| {
                Expected::Next(later.src(net.frontend()))
            }),
            row(scene, "from outside", &[], (Hook::FromNetdev, request), |later| {
                Expected::Next(later.src(scene.inside()).dst(endpoint(net.local)))
            }),
            row(scene, "masqueraded", &begun, (Hook::ToPod, inside), |later| {
                Expected::Next(later.src(scene.masqueraded()))
            }),
            row(scene, "to outside", &begun, (Hook::FromPod, answer), |later| {
                Expected::Next(later.dst(scene.inside()))
            }),
        ]
    });
}

#[test]
fn fragments_of_what_is_not_ours_are_not_remembered() {
    agree(Delivery::Bypass, |scene| {
        let Scene { net, .. } = *scene;
        let direct = scene.packet(scene.client(), endpoint(net.stranger)).syn();
        vec![row(scene, "to a stranger", &[], (Hook::FromPod, direct), Expected::Next)]
    });
}
