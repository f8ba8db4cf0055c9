//! Source ports that stand for clients.

use std::net::SocketAddr;

use dataplane_common::abi::Delivery;
use waggle_tests::host::Hook;
use waggle_tests::world::{NAT_PORTS, World};

use crate::row::{Expected, Proto, Row, Scene, agree, endpoint, into_pod};

#[test]
fn a_client_gets_a_port_that_nobody_else_has() {
    agree(Delivery::Bypass, |scene| {
        let Scene { net, .. } = *scene;
        let [frontend, _] = net.entrances();
        let from = |port| scene.packet(SocketAddr::new(net.outside, port), frontend).syn();
        let [first, last] = NAT_PORTS;
        let world = scene.world(net.local);
        let full = World { first_port: last, ..world.clone() };
        let shared = World { sockets: vec![first, first + 1], ..world.clone() };
        let taken = vec![(Hook::FromNetdev, from(1))];
        let row = |name, world: &World, before: &[_], own, port: Option<u16>| {
            let expected = port.map_or(Expected::Drop, |port| {
                let node = SocketAddr::new(net.node, port);
                let there = from(own).src(node).dst(endpoint(net.local)).ttl(63);
                into_pod(there, scene, net.local)
            });
            Row {
                world: world.clone(),
                before: before.to_vec(),
                hook: Hook::FromNetdev,
                ..scene.row(name, net.local, from(own), expected)
            }
        };
        let mut rows = vec![
            row("its own", &world, &[], last, Some(last)),
            row("the first", &world, &[], 2, Some(first)),
            row("the next", &world, &taken, 2, Some(first + 1)),
            row("none is left", &full, &taken, 2, None),
            row("sockets have two", &shared, &[], 2, Some(first + 2)),
        ];
        if scene.proto == Proto::Tcp {
            let reset = [&taken[..], &[(Hook::FromNetdev, from(1).rst())]].concat();
            rows.push(row("that of a closed flow", &full, &reset, 2, Some(last)));
        }
        rows
    });
}

#[test]
fn a_process_does_not_begin_what_a_masqueraded_flow_has_begun() {
    agree(Delivery::Bypass, |scene| {
        let Scene { net, .. } = *scene;
        let [frontend, _] = net.entrances();
        let opening = scene.packet(scene.outside(), frontend).syn();
        let own = scene.packet(scene.masqueraded(), endpoint(net.local)).syn();
        let world = scene.world(net.local);
        let row = |name, before, expected| Row {
            world: world.clone(),
            before,
            hook: Hook::ToPod,
            ..scene.row(name, net.local, own.clone(), expected)
        };
        let open = vec![(Hook::FromNetdev, opening.clone())];
        let mut rows = vec![
            row("nobody's", vec![], Expected::Next(own.clone())),
            row("open", open.clone(), Expected::Drop),
        ];
        if scene.proto == Proto::Tcp {
            let closed = [&open[..], &[(Hook::FromNetdev, opening.rst())]].concat();
            rows.push(row("closed", closed, Expected::Next(own.clone())));
        }
        rows
    });
}

#[test]
fn a_clients_next_flow_goes_where_its_last_went() {
    agree(Delivery::Bypass, |scene| {
        let Scene { net, .. } = *scene;
        let [frontend, _] = net.entrances();
        let from = |port| scene.packet(SocketAddr::new(net.outside, port), frontend).syn();
        let world = World { affinity_seconds: 60, ..scene.world(net.local) };
        let node = SocketAddr::new(net.node, NAT_PORTS[0] + 1);
        let there = from(2).src(node).dst(endpoint(net.local)).ttl(63);
        vec![Row {
            world,
            before: vec![(Hook::FromNetdev, from(1))],
            hook: Hook::FromNetdev,
            ..scene.row("held", net.local, from(2), into_pod(there, scene, net.local))
        }]
    });
}
