//! What a pod may send, and from which address.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use dataplane_common::abi::{Delivery, NodeConfig};
use waggle_tests::host::{Core, FixedEnv, Hook};
use waggle_tests::object::{Arrived, Object};
use waggle_tests::outcome::Action;
use waggle_tests::packet::Packet;
use waggle_tests::sandbox;
use waggle_tests::world::{Devices, Net, World};

use crate::row::{Expected, NOW, agree};

#[test]
fn pods_send_from_addresses_of_their_own() {
    agree(Delivery::Bypass, |scene| {
        let net = scene.net;
        let row = |name, src, is_unguarded| {
            let outside = SocketAddr::new(net.outside, 53);
            let packet = scene.packet(SocketAddr::new(src, 40_000), outside).ack();
            let expected = match src == net.client || is_unguarded {
                true => Expected::Next(packet.clone()),
                false => Expected::Drop,
            };
            let mut row = scene.row(name, net.local, packet, expected);
            row.world.is_unguarded = is_unguarded;
            row
        };
        vec![
            row("its own", net.client, false),
            row("a stranger's", net.outside, false),
            row("the node's", net.node, false),
            row("of a pod elsewhere", net.remote, false),
            row("a stranger's, unguarded", net.outside, true),
        ]
    });
}

/// A frame in which somebody says that an IPv4 address is at his own.
fn arp(sender: [u8; 4]) -> Vec<u8> {
    let request = [8, 6, 0, 1, 8, 0, 6, 4, 0, 1];
    [&[0xff; 6], &[2; 6], &request[..], &[2; 6], &sender, &[0; 6], &[169, 254, 1, 1]].concat()
}

/// An ICMPv6 message of 8 bytes, in a frame of whose IPv6 headers as many as said are options.
fn icmp6(kind: u8, src: &str, dst: &str, options: u8) -> Vec<u8> {
    const HOP_BY_HOP: u8 = 0;
    const ICMP: u8 = 58;
    let address = |text: &str| text.parse::<Ipv6Addr>().unwrap().octets();
    let next = |left: u8| if left == 0 { ICMP } else { HOP_BY_HOP };
    let length = 8 * options + 8;
    let mut frame = [&[2, 0, 0, 0, 0, 1], &[2; 6][..], &[0x86, 0xdd]].concat();
    frame.extend([0x60, 0, 0, 0, 0, length, next(options), 255]);
    frame.extend([address(src), address(dst)].concat());
    for left in (0..options).rev() {
        frame.extend([next(left), 0, 1, 4, 0, 0, 0, 0]);
    }
    frame.extend([kind, 0, 0, 0, 0, 0, 0, 0]);
    frame
}

/// A frame with what it is, the link it comes by, and what becomes of it.
type Sent = (&'static str, Vec<u8>, u32, Action);

/// What pods send of a family.
fn sent(net: Net, Devices { client: link, local, .. }: Devices) -> Vec<Sent> {
    const LOCAL: &str = "fe80::7";
    let own = Packet::echo(net.client, net.outside).build();
    let mut sent = vec![
        ("its own", own.clone(), link, Action::Next),
        ("another pod's", own, local, Action::Drop),
    ];
    let IpAddr::V4(client) = net.client else {
        let client = net.client.to_string();
        let rows = [
            ("whose address is this", 135, "::", "ff02::1:ff00:1", 0, Action::Next),
            ("who has it", 135, LOCAL, "fe80::1", 0, Action::Next),
            ("which groups it hears", 143, LOCAL, "ff02::16", 1, Action::Next),
            ("that it routes", 134, LOCAL, "ff02::1", 0, Action::Drop),
            ("from another", 128, "fd00::77", "fd00::1", 0, Action::Drop),
            ("more options than are read", 128, &client, "fd00::1", 9, Action::Next),
            ("the same from another", 128, "fd00::77", "fd00::1", 9, Action::Drop),
        ];
        sent.extend(rows.map(|(name, kind, src, dst, options, action)| {
            (name, icmp6(kind, src, dst, options), link, action)
        }));
        return sent;
    };
    sent.extend([
        ("ARP", arp(client.octets()), link, Action::Next),
        ("an ARP probe", arp([0; 4]), link, Action::Next),
        ("ARP of another", arp([10, 1, 1, 77]), link, Action::Drop),
    ]);
    sent
}

#[test]
fn what_asks_who_is_on_the_link_passes_and_nothing_else_in_the_name_of_others() {
    sandbox::inside(|devices| {
        let mut object = Object::load(NodeConfig::new(Delivery::Bypass)).unwrap();
        for net in Net::both() {
            let world = World::new(net, devices, net.local);
            object.fill(&world).unwrap();
            let env = FixedEnv { now: NOW, random: 0 };
            let core = Core { maps: world.in_memory(), delivery: Delivery::Bypass, env };
            for (name, bytes, ifindex, expected) in sent(net, devices) {
                let arrived = Arrived { bytes: &bytes, ifindex, gso_size: 0, mark: 0 };
                let kernel = object.run(Hook::FromPod.program(), arrived).unwrap().action;
                let host = core.run(Hook::FromPod, arrived).action;
                assert_eq!((kernel, host), (expected, expected), "{name}, {}", net.client);
            }
        }
    });
}
