//! The golden matrix of senders, frontends, traffic policies and settings, decided case by case.

use super::fake::{Fake, FixedEnv, backend_slot};
use super::policy::Standing;
use super::select::choose;
use super::{Choice, Sender};
use crate::abi::{
    Address, LinkFlags, Network, Node, NodeFlags, Service, ServiceFlags, Slot, SlotFlags,
};

const MATRIX: &str = include_str!("matrix.txt");

const UNKNOWN: NodeFlags = NodeFlags::PODS_UNKNOWN4.union(NodeFlags::PODS_UNKNOWN6);

/// The settings of the matrix's columns.
const SETTINGS: [NodeFlags; 4] =
    [NodeFlags(0), UNKNOWN, NodeFlags::MASQUERADE_ALL, UNKNOWN.union(NodeFlags::MASQUERADE_ALL)];

/// Addresses of a family.
trait Host: Address {
    fn host(number: u8) -> Self;
}

impl Host for [u8; 4] {
    fn host(number: u8) -> Self {
        [10, 0, 0, number]
    }
}

impl Host for [u8; 16] {
    fn host(number: u8) -> Self {
        [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, number]
    }
}

fn sender<A: Address>(name: &str, node: NodeFlags) -> Sender {
    match name {
        "pod" => Sender::of_pod::<A>(node, Network::default()),
        "node" => Sender::OwnNode,
        "outside" => Sender::behind::<A>(node, LinkFlags::default(), Network::default()),
        other => panic!("sender {other}"),
    }
}

fn flags(frontend: &str, policy: &str) -> ServiceFlags {
    let external = match frontend {
        "cluster-ip" => ServiceFlags(0),
        "node-port" | "load-balancer" => ServiceFlags::EXTERNAL,
        other => panic!("frontend {other}"),
    };
    external.union(match policy {
        "cluster" => ServiceFlags(0),
        "external-local" => ServiceFlags::EXTERNAL_LOCAL,
        "internal-local" => ServiceFlags::INTERNAL_LOCAL,
        other => panic!("policy {other}"),
    })
}

/// What a new flow meets, in the matrix's words: by chance it gets the first or the last of its set.
fn met<A: Host>(sender: Sender, flags: ServiceFlags, node: NodeFlags) -> String {
    let tables = Fake::<A>::default();
    let slot = |number, flags| Slot { flags, ..backend_slot(A::host(number), 80, number.into()) };
    tables.add_slot(0, slot(1, SlotFlags::LOCAL));
    tables.add_slot(1, slot(2, SlotFlags::OTHER_NODE));
    *tables.node.lock().unwrap() = Some(Node { flags: node, ..Node::default() });
    let service = Service { local_count: 1, cluster_count: 2, flags, ..Service::default() };
    let [first, last] = [0, u32::MAX].map(|random| {
        let mut choice = Choice { service, ..Choice::default() };
        let env = FixedEnv { now: 0, random };
        assert_eq!(choose(A::host(9), sender, node, &tables, &env, &mut choice), Standing::Served);
        (choice.slot.flags, choice.masquerade)
    });
    assert_eq!((first.0, first.1), (SlotFlags::LOCAL, last.1), "the first is here");
    let set = if last.0 == SlotFlags::LOCAL { "local" } else { "both" };
    format!("{set}{}", if last.1 { " hidden" } else { "" })
}

fn check<A: Host>() -> usize {
    let mut cases = 0;
    for line in MATRIX.lines().filter(|line| !line.starts_with('#')) {
        let mut cells = line.split('|').map(str::trim);
        let case = cells.next().unwrap();
        let [who, frontend, policy] = *case.split_whitespace().collect::<Vec<_>>() else {
            panic!("no case: {case}")
        };
        for (node, expected) in SETTINGS.into_iter().zip(cells) {
            let flags = flags(frontend, policy);
            assert_eq!(met::<A>(sender::<A>(who, node), flags, node), expected, "{case} {node:?}");
            cases += 1;
        }
    }
    cases
}

#[test]
fn every_case_of_the_golden_matrix_is_decided_as_kube_proxy_decides_it() {
    assert_eq!([check::<[u8; 4]>(), check::<[u8; 16]>()], [27 * 4; 2]);
}
