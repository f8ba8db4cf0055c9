//! New flows are spread evenly over the backends of their set.

use super::fake::backend_slot;
use super::outcome::Outcome;
use super::world::{Host, UDP, World, packet};
use crate::abi::{Delivery, ServiceFlags, Slot, SlotFlags};

const FLOWS: u32 = 100_000;
const SEED: u64 = 17;

/// The generator of Steele, Lea and Flood: Fast splittable pseudorandom number generators (2014).
fn random(state: &mut u64) -> u32 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    u32::try_from(mixed >> 32).unwrap()
}

/// A Service of so many backends in the set that `flags` choose, and as many in the other set.
fn world<A: Host>(count: u32, flags: ServiceFlags) -> World<A> {
    let world = World::new(A::host(A::PEER, 4), Delivery::Stack);
    for index in 0..2 * count {
        let number = u8::try_from(index).unwrap();
        let flags = if index < count { SlotFlags::LOCAL } else { SlotFlags::OTHER_NODE };
        let slot = backend_slot(A::host(A::PEER, number), 8080, index);
        world.tables.add_slot(index, Slot { flags, ..slot });
    }
    for service in world.tables.services.lock().unwrap().values_mut() {
        service.flags = flags;
        (service.local_count, service.cluster_offset, service.cluster_count) =
            (count, count, count);
    }
    world
}

/// How often each backend is chosen for a flow of its own.
fn counts<A: Host>(count: u32, flags: ServiceFlags) -> Vec<u32> {
    let mut world = world::<A>(count, flags);
    let first = if flags.has(ServiceFlags::INTERNAL_LOCAL) { 0 } else { count };
    let (mut counts, mut state) = (vec![0; count as usize], SEED);
    for flow in 0..FLOWS {
        world.random = random(&mut state);
        let client = A::host(A::NODE, if flow % 2 == 0 { 2 } else { 3 });
        let port = u16::try_from(1 + flow / 2).unwrap();
        let request = packet((client, port), (A::vip(), 80), UDP);
        let Outcome::Stack(rewrite) = world.sent(&request) else { panic!("flow {flow} is served") };
        let backend = (first..first + count)
            .position(|number| rewrite.to.dst == A::host(A::PEER, u8::try_from(number).unwrap()));
        counts[backend.unwrap()] += 1;
    }
    counts
}

/// Pearson's statistic of the counts, against what it reaches by chance once in a million runs: the
/// chi-square distribution with one degree of freedom less than there are backends.
fn check<A: Host>(count: u32, flags: ServiceFlags, critical: f64) {
    let expected = f64::from(FLOWS) / f64::from(count);
    let counts = counts::<A>(count, flags);
    let squares = counts.iter().map(|found| (f64::from(*found) - expected).powi(2));
    let statistic = squares.sum::<f64>() / expected;
    assert!(statistic < critical, "{count} backends: {statistic} of {critical}: {counts:?}");
}

#[test]
fn a_hundred_thousand_flows_are_spread_evenly() {
    check::<[u8; 4]>(3, ServiceFlags::INTERNAL_LOCAL, 27.631);
    check::<[u8; 4]>(100, ServiceFlags::default(), 180.792);
    check::<[u8; 16]>(7, ServiceFlags::default(), 38.258);
}
