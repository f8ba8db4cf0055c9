//! Random lives of pods against a model of the host: ADDs and DELs that are killed half-way or never
//! come, namespaces that go, collections at any time. No address is given to two living pods, and
//! none is lost for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use proptest::prelude::*;

use super::table::ABANDONED;
use super::{Lease, Phase, Pool, RangeSet, Table};
use crate::protocol::{Attachment, PodName};

const PODS: usize = 16;
const RANGES: [&str; 2] = ["10.0.0.0/28", "fd00::/124"];
/// What each of the ranges can give.
const EACH: usize = 13;

/// After which of its steps a verb was killed.
#[derive(Clone, Copy, Debug)]
enum Killed {
    Reserved,
    Linked,
    Never,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Add(usize, Killed),
    Del(usize, Killed),
    EndNamespace(usize),
    Reap,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let killed = || prop_oneof![Just(Killed::Reserved), Just(Killed::Linked), Just(Killed::Never)];
    prop_oneof![
        6 => (0..PODS, killed()).prop_map(|(pod, killed)| Step::Add(pod, killed)),
        4 => (0..PODS, killed()).prop_map(|(pod, killed)| Step::Del(pod, killed)),
        2 => (0..PODS).prop_map(Step::EndNamespace),
        1 => Just(Step::Reap),
        2 => (1..90_000_u64).prop_map(Step::Wait),
    ]
}

/// The host: what the kernel would know.
struct Host {
    pool: Pool,
    table: Table,
    links: BTreeMap<Attachment, Vec<IpAddr>>,
    namespaces: BTreeSet<Attachment>,
    now: u64,
}

fn attachment(pod: usize) -> Attachment {
    Attachment { container: pod.to_string(), ifname: "eth0".into() }
}

impl Host {
    fn new() -> Self {
        let ranges = RANGES.map(|range| range.parse().unwrap());
        Self {
            pool: Pool::new(RangeSet::of_pod_cidrs(&ranges), BTreeSet::new()),
            table: Table::new("b"),
            links: BTreeMap::new(),
            namespaces: BTreeSet::new(),
            now: 0,
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Add(pod, killed) => self.add(&attachment(pod), killed),
            Step::Del(pod, killed) => self.del(&attachment(pod), killed),
            Step::EndNamespace(pod) => {
                self.namespaces.remove(&attachment(pod));
                self.links.remove(&attachment(pod));
            }
            Step::Reap => self.reap(),
            Step::Wait(time) => self.now += time,
        }
    }

    /// In the order of the plugin: reserve, link, mark.
    fn add(&mut self, pod: &Attachment, killed: Killed) {
        self.namespaces.insert(pod.clone());
        let known = self.table.leases.get(pod).map(|lease| lease.ips.clone());
        let Some(ips) = known.or_else(|| self.allocate()) else {
            let living = self.table.leases.len();
            assert_eq!(living, EACH, "refused with addresses left");
            return;
        };
        let lease = Lease {
            ips: ips.clone(),
            phase: Phase::Reserved,
            created: self.now,
            namespace: None,
            path: String::new(),
            pod: PodName::default(),
        };
        self.table.leases.insert(pod.clone(), lease);
        if matches!(killed, Killed::Reserved) {
            return;
        }
        self.links.insert(pod.clone(), ips.clone());
        if matches!(killed, Killed::Never) {
            assert!(self.table.mark_ready(pod, &ips));
        }
    }

    fn allocate(&mut self) -> Option<Vec<IpAddr>> {
        let first = self.pool.allocate(&mut self.table, &[], self.now);
        first.ok().or_else(|| {
            self.reap();
            self.pool.allocate(&mut self.table, &[], self.now).ok()
        })
    }

    /// In the order of the plugin: the link goes first, the lease last.
    fn del(&mut self, pod: &Attachment, killed: Killed) {
        if matches!(killed, Killed::Reserved) {
            return;
        }
        self.links.remove(pod);
        if matches!(killed, Killed::Never) {
            self.table.release(pod, self.now);
        }
    }

    fn reap(&mut self) {
        let Self { links, namespaces, now, .. } = self;
        let is_dead = |(pod, lease): &(&Attachment, &Lease)| {
            lease.is_dead(links.contains_key(*pod), namespaces.contains(*pod), *now)
        };
        let dead: Vec<_> =
            self.table.leases.iter().filter(is_dead).map(|(pod, _)| pod.clone()).collect();
        for pod in dead {
            self.table.release(&pod, self.now);
        }
    }

    fn check(&self) {
        let leased: Vec<_> = self.table.leases.values().flat_map(|lease| &lease.ips).collect();
        let distinct: BTreeSet<_> = leased.iter().collect();
        assert_eq!(distinct.len(), leased.len(), "an address is leased twice");
        for (pod, ips) in &self.links {
            let lease = self.table.leases.get(pod);
            assert!(lease.is_some_and(|lease| lease.is_of(ips)), "{pod:?} lives without a lease");
        }
        let cooling = self.table.cooling.keys().filter(|ip| distinct.contains(ip)).count();
        assert_eq!(cooling, 0, "a leased address rests");
    }
}

proptest! {
    #[test]
    fn whatever_is_killed_no_address_is_given_twice_or_lost(
        steps in prop::collection::vec(step(), 1..250),
    ) {
        let mut host = Host::new();
        for step in steps {
            host.take(step);
            host.check();
        }
        for pod in 0..PODS {
            host.take(Step::EndNamespace(pod));
        }
        host.now += ABANDONED;
        host.reap();
        prop_assert_eq!(host.table.leases.len(), 0, "a lease outlived its pod");
        for pod in 0..EACH {
            host.add(&attachment(pod), Killed::Never);
        }
        prop_assert_eq!(host.links.len(), EACH, "an address was lost");
    }
}
