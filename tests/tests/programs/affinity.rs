//! Session affinity in the kernel: a table that is full, and one whose entries are of another time.

use std::net::{IpAddr, SocketAddr};

use dataplane_common::abi::{Counter, Delivery, NodeConfig, Service, names};
use waggle_tests::host::Hook;
use waggle_tests::object::{Arrived, Object, file};
use waggle_tests::outcome::Action;
use waggle_tests::packet::Packet;
use waggle_tests::sandbox;
use waggle_tests::world::{Net, World};

/// Room in the table; the kernel makes it a little more.
const ROOM: u32 = 512;
const CLIENTS: u16 = 4096;
/// Where a frame has its destination.
const DESTINATION: std::ops::Range<usize> = 30..34;

/// The backend that a packet of a client goes to.
fn backend(object: &Object, ifindex: u32, client: SocketAddr, frontend: SocketAddr) -> IpAddr {
    let bytes = Packet::udp(client, frontend).build();
    let arrived = Arrived { bytes: &bytes, ifindex, gso_size: 0, mark: 0 };
    let outcome = object.run(Hook::FromPod.program(), arrived).unwrap();
    assert_eq!(outcome.action, Action::Next, "{client}");
    let bytes: [u8; 4] = outcome.bytes[DESTINATION].try_into().unwrap();
    IpAddr::from(bytes)
}

#[test]
fn a_full_table_forgets_clients_and_serves_all() {
    sandbox::inside(|devices| {
        let [net, _] = Net::both();
        let config = NodeConfig::new(Delivery::Stack);
        let rooms = [(names::AFFINITIES, ROOM), (names::FLOWS6, ROOM)];
        let mut object = Object::of(&file().unwrap(), config, &rooms).unwrap();
        let backends = vec![net.local, net.remote];
        let world = World {
            affinity_seconds: 60,
            backends,
            is_unguarded: true,
            ..World::new(net, devices, net.local)
        };
        object.fill(&world).unwrap();
        for client in 0..CLIENTS {
            let [high, low] = client.to_be_bytes();
            let client = SocketAddr::new([10, 1, high, low].into(), 1);
            backend(&object, devices.client, client, net.frontend());
        }
        let (held, counters) = (object.affinities().unwrap().len(), object.counters().unwrap());
        assert!(held <= ROOM as usize, "{held} clients are held");
        assert_eq!(counters[&Counter::AffinityNew], u64::from(CLIENTS));
        assert_eq!(counters[&Counter::NewFlow], u64::from(CLIENTS));
    });
}

#[test]
fn a_client_is_not_held_to_what_an_earlier_affinity_held_it_to() {
    sandbox::inside(|devices| {
        let [net, _] = Net::both();
        let mut object = Object::load(NodeConfig::new(Delivery::Stack)).unwrap();
        let backends = vec![net.local, net.remote];
        let world = World { backends, ..World::new(net, devices, net.local) };
        object.fill(&world).unwrap();
        // Each flow by chance goes to the one backend that is chosen from.
        let [first, second] = [(0, net.local), (1, net.remote)];
        for (step, (affinity_seconds, affinity_epoch, (cluster_offset, _), (_, expected))) in [
            (60, 1, first, first),
            (60, 1, second, first),
            (0, 2, second, second),
            (60, 3, second, second),
            (60, 3, first, second),
        ]
        .into_iter()
        .enumerate()
        {
            let client = SocketAddr::new(net.client, 1 + u16::try_from(step).unwrap());
            let become_so = |service: Service| Service {
                affinity_seconds,
                affinity_epoch,
                cluster_offset,
                cluster_count: 1,
                ..service
            };
            let services = world.services().into_iter();
            let services: Vec<_> =
                services.map(|(key, service)| (key, become_so(service))).collect();
            object.serve(&services).unwrap();
            let found = backend(&object, devices.client, client, net.frontend());
            assert_eq!(found, expected, "step {step}");
        }
    });
}
