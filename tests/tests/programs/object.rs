//! What the object is made of, and which kernels can take it.

use std::collections::{BTreeMap, BTreeSet};

use dataplane_common::abi::{Clock, Delivery, FlowEntry, FlowKey, NodeConfig, Refusal, names};
use rustix::time::{ClockId, clock_gettime};
use waggle_tests::host::Hook;
use waggle_tests::instructions;
use waggle_tests::object::{Arrived, Object, file};
use waggle_tests::packet::Packet;
use waggle_tests::sandbox;
use waggle_tests::world::{Net, World};

/// `bpf_redirect_peer`, the newest helper of Linux 5.10.
const NEWEST_HELPER: i32 = 155;

/// `bpf_ktime_get_coarse_ns` and `bpf_set_retval`, which stand behind branches that older kernels are
/// told not to take.
const NEWER: [i32; 2] = [160, 187];

fn sorted(names: &[&str]) -> Vec<String> {
    let names: BTreeSet<_> = names.iter().map(|name| (*name).to_owned()).collect();
    names.into_iter().collect()
}

#[test]
fn the_object_has_these_maps_and_programs_and_no_others() {
    let object = Object::load(NodeConfig::new(Delivery::Bypass)).unwrap();
    let unpinned = [".rodata", "datagrams", "proven4", "proven6", "scratch4", "scratch6"];
    let maps = sorted(&[&names::MAPS[..], &unpinned].concat());
    let programs = [&names::PROGRAMS[..], &names::SOCKET_PROGRAMS].concat();
    assert_eq!(object.contents(), (maps, sorted(&programs)));
}

#[test]
fn no_program_asks_for_more_than_linux_5_10_has() {
    for (name, program) in instructions::programs(&file().unwrap()).unwrap() {
        let newest = program.helpers().into_iter().rfind(|helper| !NEWER.contains(helper));
        assert!(newest.is_some_and(|newest| newest <= NEWEST_HELPER), "{name} calls {newest:?}");
        assert_eq!(program.kernel_functions(), 0, "{name}: kernel functions, since Linux 5.13");
        assert_eq!(program.atomics(), 0, "{name}: those that give a result are of Linux 5.12");
    }
}

fn configuration(refusal: Refusal, clock: Clock) -> NodeConfig {
    let (refusal, clock) = (refusal.number(), clock.number());
    NodeConfig { refusal, clock, ..NodeConfig::new(Delivery::Bypass) }
}

#[test]
fn a_kernel_meets_the_newer_helpers_only_where_it_is_said_to_have_them() {
    let (new, rooms) = (file().unwrap(), [names::FLOWS4, names::FLOWS6].map(|map| (map, 16)));
    let old = instructions::without(&new, &NEWER);
    for (kernel, refusal, clock, expected) in [
        (&new, Refusal::Error, Clock::Coarse, true),
        (&old, Refusal::ClosedPort, Clock::Exact, true),
        (&old, Refusal::Error, Clock::Exact, false),
        (&old, Refusal::ClosedPort, Clock::Coarse, false),
    ] {
        let loaded = Object::of(kernel, configuration(refusal, clock), &rooms);
        assert_eq!(loaded.is_ok(), expected, "{refusal:?} {clock:?}: {:?}", loaded.err());
    }
}

#[test]
fn both_clocks_are_the_monotonic_one() {
    let now = || u32::try_from(clock_gettime(ClockId::Monotonic).tv_sec).unwrap();
    sandbox::inside(move |devices| {
        let [net, _] = Net::both();
        let client = std::net::SocketAddr::new(net.client, 1);
        let bytes = Packet::udp(client, net.frontend()).build();
        for clock in [Clock::Exact, Clock::Coarse] {
            let mut object = Object::load(configuration(Refusal::ClosedPort, clock)).unwrap();
            object.fill(&World::new(net, devices, net.local)).unwrap();
            // The coarse one is behind by up to a tick.
            let before = now().saturating_sub(1);
            let arrived = Arrived { bytes: &bytes, ifindex: devices.client, gso_size: 0, mark: 0 };
            object.run(Hook::FromPod.program(), arrived).unwrap();
            let flows: BTreeMap<FlowKey<[u8; 4]>, FlowEntry<[u8; 4]>> = object.flows().unwrap();
            let seen = flows.values().map(|entry| entry.last_seen);
            let known = (before..=now()).collect::<Vec<_>>();
            assert_eq!(seen.filter(|seen| known.contains(seen)).count(), 2, "{clock:?}: {flows:?}");
        }
    });
}
