//! Clients that a load balancer's address lets in.

use std::net::{IpAddr, SocketAddr};

use dataplane_common::abi::{BackendState, Delivery};
use waggle_tests::host::Hook;
use waggle_tests::world::World;

use crate::row::{Expected, Row, Scene, agree, endpoint};

/// A world that lets in these alone.
fn letting_in(scene: &Scene, clients: &[IpAddr]) -> World {
    World { sources: clients.to_vec(), ..scene.world(scene.net.local) }
}

#[test]
fn a_load_balancers_address_lets_in_its_source_ranges_alone() {
    agree(Delivery::Stack, |scene| {
        let net = scene.net;
        let [balanced, node_port] = net.entrances();
        let row = |name, hook, client: SocketAddr, frontend, sources: &[IpAddr], passes: bool| {
            let opening = scene.packet(client, frontend).syn();
            let inside = SocketAddr::new(client.ip(), scene.inside().port());
            let there = opening.clone().src(inside).dst(endpoint(net.local));
            let expected = if passes { Expected::Next(there) } else { Expected::Drop };
            let world = letting_in(scene, sources);
            Row { world, hook, ..scene.row(name, net.local, opening, expected) }
        };
        let (pod, outside) = (Hook::FromPod, Hook::FromNetdev);
        vec![
            row("let in", outside, scene.outside(), balanced, &[net.outside], true),
            row("left out", outside, scene.outside(), balanced, &[net.stranger], false),
            row("at the NodePort", outside, scene.outside(), node_port, &[net.stranger], true),
            row("a pod let in", pod, scene.client(), balanced, &[net.client], true),
            row("a pod left out", pod, scene.client(), balanced, &[net.outside], false),
        ]
    });
}

#[test]
fn who_is_left_out_does_not_learn_whether_anybody_serves() {
    agree(Delivery::Bypass, |scene| {
        let net = scene.net;
        let [balanced, _] = net.entrances();
        let opening = scene.packet(scene.outside(), balanced).syn();
        let world = letting_in(scene, &[net.stranger]);
        let world = World { backends: Vec::new(), state: BackendState::Dead, ..world };
        let row = scene.row("left out", net.local, opening, Expected::Drop);
        vec![Row { world, hook: Hook::FromNetdev, ..row }]
    });
}

#[test]
fn a_flow_goes_on_that_could_not_begin_any_longer() {
    agree(Delivery::Stack, |scene| {
        let net = scene.net;
        let [balanced, _] = net.entrances();
        let answer = scene.packet(endpoint(net.local), scene.inside()).syn_ack();
        let opening = scene.packet(scene.outside(), balanced).syn();
        let there = answer.clone().src(balanced).dst(scene.outside());
        vec![Row {
            world: letting_in(scene, &[net.outside]),
            before: vec![(Hook::FromNetdev, opening)],
            hook: Hook::ToNetdev,
            ..scene.row("answer", net.local, answer, Expected::Next(there))
        }]
    });
}

#[test]
fn the_node_itself_is_dropped_where_it_leaves_for_a_load_balancer() {
    agree(Delivery::Bypass, |scene| {
        let net = scene.net;
        let [balanced, _] = net.entrances();
        let own = scene.packet(SocketAddr::new(net.node, 40_000), balanced).syn();
        let row = |name, sources: &[IpAddr], expected| Row {
            world: letting_in(scene, sources),
            hook: Hook::ToNetdev,
            ..scene.row(name, net.local, own.clone(), expected)
        };
        vec![
            row("let in", &[net.node], Expected::Next(own.clone())),
            row("left out", &[net.outside], Expected::Drop),
        ]
    });
}
