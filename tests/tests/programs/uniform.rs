//! New flows are spread evenly by the loaded programs too, by the kernel's own random numbers.

use std::net::{IpAddr, SocketAddr};

use dataplane_common::abi::{Delivery, NodeConfig};
use waggle_tests::host::Hook;
use waggle_tests::object::{Arrived, Object};
use waggle_tests::outcome::Action;
use waggle_tests::packet::Packet;
use waggle_tests::sandbox;
use waggle_tests::world::{Net, World};

const FLOWS: u16 = 10_000;
const BACKENDS: u8 = 7;
/// What Pearson's statistic reaches by chance once in a million runs, with one degree of freedom less
/// than there are backends.
const CRITICAL: f64 = 38.258;

/// A pod elsewhere, of the family of another.
fn backend(like: IpAddr, number: u8) -> IpAddr {
    match like {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            IpAddr::from([a, b, c, number])
        }
        IpAddr::V6(ip) => {
            let mut octets = ip.octets();
            octets[15] = number;
            IpAddr::from(octets)
        }
    }
}

/// Where a frame goes.
fn destination(frame: &[u8], family: IpAddr) -> IpAddr {
    if family.is_ipv4() {
        IpAddr::from(<[u8; 4]>::try_from(&frame[30..34]).unwrap())
    } else {
        IpAddr::from(<[u8; 16]>::try_from(&frame[38..54]).unwrap())
    }
}

/// How often each backend was chosen.
fn counts(object: &Object, ifindex: u32, net: Net, backends: &[IpAddr]) -> Vec<u32> {
    let mut counts = vec![0; backends.len()];
    for port in 1..=FLOWS {
        let client = SocketAddr::new(net.client, port);
        let bytes = Packet::udp(client, net.frontend()).build();
        let arrived = Arrived { bytes: &bytes, ifindex, gso_size: 0, mark: 0 };
        let outcome = object.run(Hook::FromPod.program(), arrived).unwrap();
        assert_eq!(outcome.action, Action::Next, "{client}");
        let chosen = destination(&outcome.bytes, net.client);
        counts[backends.iter().position(|backend| *backend == chosen).unwrap()] += 1;
    }
    counts
}

#[test]
fn ten_thousand_flows_are_spread_evenly_by_the_kernel() {
    sandbox::inside(|devices| {
        let mut object = Object::load(NodeConfig::new(Delivery::Stack)).unwrap();
        for net in Net::both() {
            let backends: Vec<_> =
                (1..=BACKENDS).map(|number| backend(net.remote, 100 + number)).collect();
            let world =
                World { backends: backends.clone(), ..World::new(net, devices, net.remote) };
            object.fill(&world).unwrap();
            let counts = counts(&object, devices.client, net, &backends);
            let expected = f64::from(FLOWS) / f64::from(BACKENDS);
            let squares = counts.iter().map(|found| (f64::from(*found) - expected).powi(2));
            let statistic = squares.sum::<f64>() / expected;
            assert!(statistic < CRITICAL, "{statistic} of {CRITICAL}: {counts:?}");
        }
    });
}
