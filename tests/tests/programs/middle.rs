//! What is in the middle of a TCP connection whose flow nobody knows.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use dataplane_common::abi::{
    Counter, Delivery, DropReason, FlowEntry, FlowFlags, FlowKey, NodeConfig, NodeFlags, PathTaken,
};
use waggle_tests::host::Hook;
use waggle_tests::object::{Arrived, Family, Object};
use waggle_tests::outcome::{Action, Outcome};
use waggle_tests::packet::Packet;
use waggle_tests::sandbox;
use waggle_tests::world::{Net, World};

use crate::row::{Expected, Proto, Row, Scene, agree, endpoint};

/// A world in which two serve.
fn crowded(scene: &Scene) -> World {
    let Net { local, remote, .. } = scene.net;
    World { backends: vec![local, remote], ..scene.world(local) }
}

#[test]
fn who_is_in_the_middle_of_a_connection_goes_where_it_went_or_is_told_at_once() {
    agree(Delivery::Stack, |scene| {
        if scene.proto == Proto::Udp {
            return Vec::new();
        }
        let net = scene.net;
        let later = scene.opening().ack();
        let there = || Expected::Next(later.clone().dst(endpoint(net.local)));
        let held = World { affinity_seconds: 100, ..crowded(scene) };
        let nobody = World { backends: Vec::new(), ..scene.world(net.local) };
        let row = |name, world: &World, packet: &Packet, expected| Row {
            world: world.clone(),
            ..scene.row(name, net.local, packet.clone(), expected)
        };
        let mut rows = vec![
            row("one serves", &scene.world(net.local), &later, there()),
            row("held to nobody", &held, &later, Expected::Reset),
            row("nobody serves", &nobody, &later, Expected::Reset),
            row("a reset", &crowded(scene), &later.clone().rst(), Expected::Drop),
            row("in VLANs", &crowded(scene), &later.clone().vlans(&[5]), Expected::Drop),
        ];
        for payload in [0, 1, 32, 1000] {
            for packet in [later.clone(), later.clone().fin(), later.clone().syn_ack()] {
                let packet = packet.payload(payload);
                rows.push(row("many serve", &crowded(scene), &packet, Expected::Reset));
                for frontend in net.entrances() {
                    let packet = packet.clone().src(scene.outside()).dst(frontend);
                    let hook = Hook::FromNetdev;
                    let row = row("from outside", &crowded(scene), &packet, Expected::Reset);
                    rows.push(Row { hook, ..row });
                }
            }
        }
        let large = later.payload(3000);
        let row = row("segments", &crowded(scene), &large, Expected::Reset);
        rows.push(Row { gso_size: 1400, ..row });
        rows
    });
}

#[test]
fn while_another_proxy_is_there_its_connections_pass_and_never_leave_untranslated() {
    agree(Delivery::Bypass, |scene| {
        if scene.proto == Proto::Udp {
            return Vec::new();
        }
        let net = scene.net;
        let world = World { node_flags: NodeFlags::ADOPTING, ..crowded(scene) };
        let later = scene.opening().ack();
        let direct = later.clone().dst(endpoint(net.local));
        let row = |name, hook, packet: &Packet, expected| Row {
            world: world.clone(),
            hook,
            ..scene.row(name, net.local, packet.clone(), expected)
        };
        let passes = || Expected::Next(later.clone());
        vec![
            row("comes from a pod", Hook::FromPod, &later, passes()),
            row("comes by a device", Hook::FromNetdev, &later, passes()),
            row("leaves for a pod", Hook::ToPod, &later, Expected::Drop),
            row("leaves for a device", Hook::ToNetdev, &later, Expected::Drop),
            row("was translated", Hook::ToNetdev, &direct, Expected::Next(direct.clone())),
        ]
    });
}

/// Flows that the table has room for.
const ROOM: u32 = 256;
/// Flows that begin.
const MANY: u16 = 2000;

/// What becomes of the next packet of each live flow that the table had no room for.
#[test]
fn live_flows_that_the_table_had_no_room_for_are_told_at_once_or_pass() {
    sandbox::inside(|devices| {
        let mut object = Object::with_room_for(NodeConfig::new(Delivery::Stack), ROOM).unwrap();
        for net in Net::both() {
            let scene = Scene { net, devices, proto: Proto::Tcp };
            let mut world = crowded(&scene);
            object.fill(&world).unwrap();
            let segment = |port| {
                let client = SocketAddr::new(net.client, port);
                Packet::tcp(client, net.frontend())
            };
            let run = |object: &Object, packet: Packet| -> Outcome {
                let (bytes, ifindex) = (packet.build(), devices.client);
                let arrived = Arrived { bytes: &bytes, ifindex, gso_size: 0, mark: 0 };
                object.run(Hook::FromPod.program(), arrived).unwrap()
            };
            let ports = 1024..1024 + MANY;
            for port in ports.clone() {
                assert_eq!(run(&object, segment(port).syn()).action, Action::Next);
            }
            let known = known(&object, &net);
            let lost: Vec<_> = ports.filter(|port| !known.contains(port)).collect();
            println!("{} of {MANY} flows were lost", lost.len());
            assert!(lost.len() >= usize::from(MANY) - ROOM as usize);
            for port in lost.iter().take(50) {
                assert_eq!(run(&object, segment(*port).ack()).action, Action::Redirect);
            }
            world.node_flags = NodeFlags::ADOPTING;
            object.set_node(&world).unwrap();
            for port in lost.iter().skip(50).take(50) {
                let later = segment(*port).ack();
                let outcome = run(&object, later.clone());
                assert_eq!((outcome.action, outcome.bytes), (Action::Next, later.build()));
            }
            let counters = object.counters().unwrap();
            assert_eq!(counters[&Counter::Path(PathTaken::AnsweredReset)], 50);
            assert_eq!(counters[&Counter::Path(PathTaken::Passed)], 50);
            assert!(!counters.contains_key(&Counter::Drop(DropReason::AnswerFailed)));
        }
    });
}

/// The client's ports of the flows that are there.
fn known(object: &Object, net: &Net) -> BTreeSet<u16> {
    match net.client {
        IpAddr::V4(_) => ports::<[u8; 4]>(object),
        IpAddr::V6(_) => ports::<[u8; 16]>(object),
    }
}

fn ports<A: Family>(object: &Object) -> BTreeSet<u16>
where
    FlowKey<A>: aya::Pod,
    FlowEntry<A>: aya::Pod,
{
    let flows = object.flows::<A>().unwrap();
    let forward = flows.iter().filter(|(_, entry)| !entry.flags.has(FlowFlags::REVERSE));
    forward.map(|(key, _)| key.sport.number()).collect()
}
