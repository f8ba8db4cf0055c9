//! Random changes in random order, with failures and restarts: the maps end as a fresh build's.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::node::{NAME, Node};
use crate::support::objects::{Shape, delete, slice};
use crate::support::random::{Random, seeds};
use crate::support::view;
use crate::support::watched::WatchedMaps;
use waggle_agent::k8s::{Change, Kind, Object, ObjectRef};

const SERVICES: [&str; 4] = ["a", "b", "c", "d"];
const CONDITIONS: [&str; 4] = ["ready", "ready", "terminating", "gone"];

/// A cluster whose objects change at random.
struct Cluster {
    random: Random,
    objects: BTreeMap<ObjectRef, Object>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Trouble {
    None,
    Faults,
    FaultsAndRestarts,
}

impl Cluster {
    fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), objects: BTreeMap::new() }
    }

    /// The next change, which the cluster has made already.
    fn change(&mut self) -> Change {
        let change = match self.random.below(8) {
            0 => delete(Kind::Service, SERVICES[self.random.below(SERVICES.len())]),
            1 => delete(Kind::EndpointSlice, &format!("slice-{}", self.random.below(6))),
            2 | 3 => self.random_service(),
            _ => self.random_slice(),
        };
        match &change {
            Change::Apply(object) => {
                self.objects.insert(object.object_ref(), (**object).clone());
            }
            Change::Delete(object) => {
                self.objects.remove(object);
            }
            Change::SourceProblems(_) | Change::Listed { .. } => unreachable!("not made here"),
        }
        change
    }

    /// Services share few addresses and node ports, so that they come to claim each other's.
    fn random_service(&mut self) -> Change {
        let name = SERVICES[self.random.below(SERVICES.len())];
        let v4 = format!("10.96.0.{}", self.random.below(4));
        let v6 = format!("fd00:10:96::{}", self.random.below(4));
        let cluster_ips = match self.random.below(3) {
            0 => vec![v4.as_str()],
            1 => vec![v6.as_str()],
            _ => vec![v4.as_str(), v6.as_str()],
        };
        let created = format!("2026-01-0{}T00:00:00Z", 1 + self.random.below(3));
        let node_ports = [0, 0, 30_080, 30_081, 32_000];
        Shape {
            internal_local: self.random.one_in(3),
            external_local: self.random.one_in(3),
            created: (!self.random.one_in(3)).then_some(created),
            node_port: node_ports[self.random.below(node_ports.len())],
            load_balancer_ips: self.outer_ips(),
            external_ips: self.outer_ips(),
            affinity_seconds: [None, Some(60), Some(10_800)][self.random.below(3)],
            ..Shape::of(name, &cluster_ips)
        }
        .change()
    }

    /// A few addresses, of any family, some of them cluster IPs of others.
    fn outer_ips(&mut self) -> Vec<String> {
        let count = self.random.below(3);
        let nets = ["192.0.2.", "2001:db8::", "10.96.0."];
        let mut ip = || format!("{}{}", nets[self.random.below(3)], self.random.below(3));
        (0..count).map(|_| ip()).collect()
    }

    fn random_slice(&mut self) -> Change {
        let name = format!("slice-{}", self.random.below(6));
        let service = SERVICES[self.random.below(SERVICES.len())];
        let is_ipv6 = self.random.one_in(2);
        let endpoints: Vec<_> = (0..self.random.below(6))
            .map(|_| {
                let number = self.random.below(6);
                let address =
                    if is_ipv6 { format!("fd01::{number}") } else { format!("10.1.0.{number}") };
                let node = if self.random.one_in(2) { NAME } else { "node-b" };
                (address, node, CONDITIONS[self.random.below(CONDITIONS.len())])
            })
            .collect();
        slice(&name, service, &endpoints)
    }

    /// Everything there is, as a source lists it.
    fn list(&self) -> Vec<Change> {
        let objects = self.objects.values().cloned().map(|object| Change::Apply(object.into()));
        objects.chain([Change::Listed { complete: true }]).collect()
    }
}

fn churn(seed: u64, trouble: Trouble) {
    let mut cluster = Cluster::new(seed);
    let mut node = match trouble {
        Trouble::None => Node::new(WatchedMaps::default()),
        Trouble::Faults | Trouble::FaultsAndRestarts => Node::faulty(seed),
    };
    for _ in 0..150 {
        let count = 1 + cluster.random.below(3);
        let mut changes: Vec<_> = (0..count).map(|_| cluster.change()).collect();
        if trouble == Trouble::FaultsAndRestarts && cluster.random.one_in(15) {
            node.restart_without_source();
            changes = cluster.list();
        }
        node.now += Duration::from_millis(cluster.random.below(3000) as u64);
        node.feed(changes);
    }
    node.maps.set_healthy(true);
    node.settle();
    let mut fresh = Node::new(WatchedMaps::default());
    fresh.feed(cluster.list());
    assert_eq!(view::table(&node.engine), view::table(&fresh.engine), "seed {seed}");
    let effects = [&node, &fresh].map(|node| view::effect(&node.maps.inner().fake));
    assert_eq!(effects[0], effects[1], "seed {seed}");
    node.restart_without_source();
    node.feed(cluster.list());
    assert_eq!(node.report.writes, 0, "a restart writes nothing, seed {seed}");
}

#[test]
fn any_order_of_changes_ends_as_a_fresh_build() {
    seeds().into_iter().for_each(|seed| churn(seed, Trouble::None));
}

#[test]
fn failures_on_the_way_leave_no_trace() {
    seeds().into_iter().for_each(|seed| churn(seed, Trouble::Faults));
}

#[test]
fn restarts_on_the_way_leave_no_trace() {
    seeds().into_iter().for_each(|seed| churn(seed, Trouble::FaultsAndRestarts));
}
