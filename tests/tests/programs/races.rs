//! Two CPUs with packets of the same new flows at once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use dataplane_common::abi::{Counter, Delivery, FlowEntry, FlowFlags, FlowKey, NodeConfig};
use rustix::thread::{CpuSet, sched_setaffinity};
use waggle_tests::host::Hook;
use waggle_tests::object::{Arrived, Object};
use waggle_tests::outcome::Action;
use waggle_tests::packet::Packet;
use waggle_tests::sandbox;
use waggle_tests::world::{Devices, Net, World};

const FLOWS: u32 = 100_000;
/// Room enough that the LRU has nothing to evict.
const ROOM: u32 = 1 << 19;
/// Where addresses and the source port stand in a frame.
const SOURCE: Range<usize> = 26..30;
const DESTINATION: Range<usize> = 30..34;
const SOURCE_PORT: Range<usize> = 34..36;

type Flows = BTreeMap<FlowKey<[u8; 4]>, FlowEntry<[u8; 4]>>;

#[test]
fn two_cpus_give_each_flow_one_backend_and_leave_no_half() {
    sandbox::inside(|devices| {
        let [net, _] = Net::both();
        let mut object = Object::with_room_for(NodeConfig::new(Delivery::Stack), ROOM).unwrap();
        object.fill(&world(net, devices)).unwrap();
        let turn = AtomicU32::new(0);
        let chosen = thread::scope(|scope| {
            let (object, turn) = (&object, &turn);
            let cpus = [0, 1].map(|cpu| scope.spawn(move || send(cpu, object, net, devices, turn)));
            cpus.map(|cpu| cpu.join().unwrap())
        });
        let [first, second] = &chosen;
        assert!(first == second, "the two packets of a flow went to two backends");
        let distinct: BTreeSet<_> = first.iter().collect();
        assert_eq!(distinct.len(), 16, "every backend was chosen");
        let flows: Flows = object.flows().unwrap();
        assert_eq!(flows.len(), 2 * FLOWS as usize);
        assert_eq!(flows.iter().find(|(key, entry)| !is_whole(&flows, key, entry)), None);
        let counters = object.counters().unwrap();
        assert_eq!(counters[&Counter::NewFlow], u64::from(FLOWS));
        assert!(counters[&Counter::FlowRaceLost] > 0, "no two packets met: {counters:?}");
    });
}

/// Sixteen backends on another node, so that two choices differ as a rule.
fn world(net: Net, devices: Devices) -> World {
    let backends = (1..=16).map(|host| IpAddr::from([10, 1, 2, host])).collect();
    World { backends, is_unguarded: true, ..World::new(net, devices, net.remote) }
}

/// Sends the first packet of every flow, each when the other CPU does; the backends they went to.
fn send(cpu: usize, object: &Object, net: Net, devices: Devices, turn: &AtomicU32) -> Vec<[u8; 4]> {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).expect("this test needs two CPUs");
    let client = SocketAddr::new(net.client, 0);
    let mut bytes = Packet::udp(client, net.frontend()).without_checksum().build();
    (0..FLOWS)
        .map(|flow| {
            name_client(&mut bytes, flow);
            turn.fetch_add(1, Ordering::AcqRel);
            while turn.load(Ordering::Acquire) < 2 * (flow + 1) {
                std::hint::spin_loop();
            }
            let arrived = Arrived { bytes: &bytes, ifindex: devices.client, gso_size: 0, mark: 0 };
            let outcome = object.run(Hook::FromPod.program(), arrived).unwrap();
            assert_eq!(outcome.action, Action::Next);
            outcome.bytes[DESTINATION].try_into().unwrap()
        })
        .collect()
}

/// Writes a flow's address and port into a frame, leaving the header's checksum, which nobody checks.
fn name_client(frame: &mut [u8], flow: u32) {
    frame[SOURCE].copy_from_slice(&(0x0a02_0000 + flow / 1000).to_be_bytes());
    let port = 40_000 + u16::try_from(flow % 1000).unwrap();
    frame[SOURCE_PORT].copy_from_slice(&port.to_be_bytes());
}

/// Whether an entry's sibling is there, names it as its own, and has the same backend.
fn is_whole(flows: &Flows, key: &FlowKey<[u8; 4]>, entry: &FlowEntry<[u8; 4]>) -> bool {
    flows.get(&entry.sibling(key.proto)).is_some_and(|other| {
        other.sibling(key.proto) == *key
            && other.backend == entry.backend
            && other.flags.has(FlowFlags::REVERSE) != entry.flags.has(FlowFlags::REVERSE)
    })
}
