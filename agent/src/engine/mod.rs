//! The whole pipeline from changed objects to written maps, as one value without threads or clock.

mod bounds;
mod checks;
mod failure;
mod findings;
mod locality;
mod refusals;
mod report;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dataplane_common::abi::Family;

pub use report::Report;
pub use rows::{BackendRow, FrontendRow, ServiceRow};

use crate::config::KeepClientIp;
use crate::k8s::{Change, Object};
use crate::maps::{Bounds, LbMaps, Result};
use crate::metrics::Policy;
use crate::model::{HealthCheck, Name, NodeSpec};
use crate::problem::Problem;
use crate::reconcile::Realized;
use crate::state::{Desired, FamilyPort, Store};

use checks::Checks;
use failure::Failure;
use findings::Findings;
use locality::Closed;
use refusals::Refusals;

/// How long after a failure the next try is made.
pub const RETRY: Duration = Duration::from_secs(1);

/// Keeps the maps as the objects want them.
#[derive(Debug)]
pub struct Engine {
    store: Store,
    realized: Realized,
    desired: BTreeMap<FamilyPort, Desired>,
    /// Ports whose maps may differ from what is desired.
    pending: BTreeSet<FamilyPort>,
    failures: BTreeMap<FamilyPort, Failure>,
    prune_failure: Option<String>,
    /// As the maps were told last.
    bounds: Option<Bounds>,
    findings: Findings,
    checks: Checks,
    closed: Closed,
    refusals: Refusals,
    listing: Listing,
    revision: u64,
}

/// How much of the first full list has been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listing {
    /// Too little to act upon.
    Awaited,
    /// All that is readable: it is acted upon, but what is missing may exist.
    Partial,
    /// All: what is missing does not exist.
    Complete,
    /// What did not exist has been taken out.
    Pruned,
}

impl Engine {
    /// An engine for the node of this name that goes on from what the maps hold. Writes nothing.
    ///
    /// # Errors
    /// When a map cannot be read.
    pub fn restore(node: &str, keep_client_ip: KeepClientIp, maps: &impl LbMaps) -> Result<Self> {
        Ok(Self {
            store: Store::new(node, keep_client_ip),
            realized: Realized::restore(maps)?,
            desired: BTreeMap::new(),
            pending: BTreeSet::new(),
            failures: BTreeMap::new(),
            prune_failure: None,
            bounds: None,
            findings: Findings::default(),
            checks: Checks::default(),
            closed: Closed::default(),
            refusals: Refusals::default(),
            listing: Listing::Awaited,
            revision: 0,
        })
    }

    /// Takes in changes and does what they, and what failed before, ask for. To be called without
    /// changes when [`Report::retry_at`] has come.
    pub fn feed(&mut self, changes: Vec<Change>, maps: &mut impl LbMaps, now: Instant) -> Report {
        let (before, deaths) = (self.realized.writes(), self.realized.udp_deaths());
        let listing = self.listing;
        for change in changes {
            self.take_in(change);
        }
        let dirty = self.store.take_dirty();
        for service in &dirty.services {
            self.refresh(service);
        }
        self.checks.stale(&dirty.services);
        let is_acted_upon = self.listing != Listing::Awaited;
        let fails_otherwise = is_acted_upon && self.reconcile(maps, now);
        if is_acted_upon {
            self.refresh_checks();
        }
        let refused_otherwise = self.refusals.take_news();
        let (problems, has_other_problems) =
            self.problems(dirty.problems || fails_otherwise || refused_otherwise);
        let writes = self.realized.writes() - before;
        let is_other_listing = self.listing != listing;
        let is_new = writes > 0 || is_other_listing || has_other_problems || fails_otherwise;
        self.revision += u64::from(is_new || !dirty.services.is_empty());
        let is_failing = !self.failures.is_empty() || self.prune_failure.is_some();
        Report {
            revision: self.revision,
            problems,
            writes,
            udp_deaths: self.realized.udp_deaths() - deaths,
            pending: self.failures.len(),
            retry_at: is_failing.then(|| now + RETRY),
            behind: self.behind().collect(),
            nodes_changed: dirty.nodes,
            listed: is_acted_upon,
            complete: matches!(self.listing, Listing::Complete | Listing::Pruned),
        }
    }

    /// Everything that shall be served, in the order of names.
    #[must_use]
    pub fn services(&self) -> Vec<ServiceRow> {
        let row = |(port, desired): (&FamilyPort, &Desired)| {
            let kind = self.store.service(&port.port.service).map(|spec| spec.kind);
            let failure = self.failures.get(port).map(|failure| &failure.cause);
            ServiceRow::new(port, kind.unwrap_or_default(), desired, failure)
        };
        self.desired.iter().map(row).collect()
    }

    /// Says which addresses devices of this node hold. Cluster IPs among them are not served on this
    /// node: whoever took one has reason to answer by himself, like a DNS cache. Says whether that
    /// is for [`Self::feed`] to act upon.
    pub fn hold(&mut self, addresses: &BTreeSet<IpAddr>) -> bool {
        self.store.hold(addresses)
    }

    /// All nodes, this one among them, in the order of names.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeSpec> {
        self.store.nodes().values()
    }

    /// The NetworkPolicies that there are.
    #[must_use]
    pub fn network_policies(&self) -> &BTreeSet<Name> {
        self.store.network_policies()
    }

    /// The node of this engine, if it is known.
    #[must_use]
    pub fn own_node(&self) -> Option<&NodeSpec> {
        self.store.own_node()
    }

    /// What load balancers ask about Services: the same allocation where it is the same as before.
    #[must_use]
    pub fn health_checks(&self) -> &Arc<BTreeMap<Name, HealthCheck>> {
        self.checks.told()
    }

    /// How many ServicePorts are closed on this node in each family under each policy, because all
    /// of their endpoints are elsewhere.
    pub fn closed_here(&self) -> impl Iterator<Item = (Family, Policy, usize)> {
        self.closed.counts()
    }

    /// Whether any port of a Service is not served as it shall be in a family.
    #[must_use]
    pub fn is_failing(&self, service: &Name, family: Family) -> bool {
        is_failing(&self.failures, service, family)
    }

    fn take_in(&mut self, change: Change) {
        match change {
            Change::Apply(object) => self.apply(&object),
            Change::Delete(object) => {
                self.store.apply(&object, None);
                self.findings.forget(&object);
            }
            Change::SourceProblems(problems) => self.findings.of_source(problems),
            Change::Listed { complete } => self.listed(complete),
        }
    }

    fn apply(&mut self, object: &Object) {
        let (spec, problems) = object.read();
        self.store.apply(&object.object_ref(), spec);
        self.findings.of_object(object, problems);
    }

    fn listed(&mut self, complete: bool) {
        self.listing = match (self.listing, complete) {
            (Listing::Awaited | Listing::Partial, true) => Listing::Complete,
            (Listing::Awaited, false) => Listing::Partial,
            (listing @ (Listing::Partial | Listing::Complete | Listing::Pruned), _) => listing,
        };
    }

    /// Notes what has changed for the ports of a Service.
    fn refresh(&mut self, service: &Name) {
        let desired = self.store.desired(service);
        let first = FamilyPort::first_of(service);
        let present = self.desired.range(first..).map(|(port, _)| port);
        let present: Vec<_> =
            present.take_while(|port| port.port.service == *service).cloned().collect();
        for port in present {
            if !desired.contains_key(&port) {
                self.desired.remove(&port);
                self.closed.note(&port, None);
                self.refusals.note(&port, None);
                self.pending.insert(port);
            }
        }
        for (port, desired) in desired {
            if self.desired.get(&port) != Some(&desired) {
                self.closed.note(&port, Some(&desired));
                self.refusals.note(&port, Some(&desired));
                self.pending.insert(port.clone());
                self.desired.insert(port, desired);
            }
        }
    }

    /// First all that is made, then all that is retired: a frontend that changes its owner is never
    /// missing. Says whether anything else fails than before.
    fn reconcile(&mut self, maps: &mut impl LbMaps, now: Instant) -> bool {
        let before = (std::mem::take(&mut self.failures), self.prune_failure.clone());
        let pending = std::mem::take(&mut self.pending);
        match self.widen(&pending, maps) {
            Ok(()) => self.make_and_retire(&pending, maps, now),
            Err(error) => {
                let failure = Failure::of(&error.into());
                self.failures = pending.into_iter().map(|port| (port, failure.clone())).collect();
            }
        }
        self.pending.extend(self.failures.keys().cloned());
        if self.listing == Listing::Complete {
            self.prune(maps, now);
        }
        let _tried_again_with_the_next_round = self.narrow(maps);
        (&before.0, &before.1) != (&self.failures, &self.prune_failure)
    }

    fn make_and_retire(
        &mut self,
        ports: &BTreeSet<FamilyPort>,
        maps: &mut impl LbMaps,
        now: Instant,
    ) {
        for port in ports {
            if let Err(cause) = self.make(port, maps, now) {
                self.failures.insert(port.clone(), cause);
            }
        }
        for port in ports {
            if self.failures.contains_key(port) {
                continue;
            }
            let desired = self.desired.get(port);
            if let Err(error) = self.realized.retire(port, desired, maps, now) {
                self.failures.insert(port.clone(), Failure::of(&error));
            }
        }
    }

    fn make(
        &mut self,
        port: &FamilyPort,
        maps: &mut impl LbMaps,
        now: Instant,
    ) -> Result<(), Failure> {
        let Some(desired) = self.desired.get(port) else {
            return Ok(());
        };
        // An endpoint that cannot be read is no endpoint that left.
        if self.listing == Listing::Partial && self.realized.has_unclaimed_others(desired) {
            return Err(Failure::unread());
        }
        self.realized.make(port, desired, maps, now).map_err(|error| Failure::of(&error))
    }

    /// The families in which something is not programmed that may be at the next try.
    fn behind(&self) -> impl Iterator<Item = Family> {
        let failures = self.failures.iter().filter(|(_, failure)| !failure.is_of_objects);
        failures.map(|(port, _)| port.family)
    }

    fn refresh_checks(&mut self) {
        let Self { checks, store, failures, .. } = self;
        let is_failing = |service: &Name, family| is_failing(failures, service, family);
        checks.refresh(|service| store.health_check(service), is_failing);
    }

    fn prune(&mut self, maps: &mut impl LbMaps, now: Instant) {
        match self.realized.prune(maps, now) {
            Ok(()) => (self.listing, self.prune_failure) = (Listing::Pruned, None),
            Err(error) => self.prune_failure = Some(error.to_string()),
        }
    }

    /// Everything that is wrong, in a fixed order, and whether it is anything else than before.
    fn problems(&mut self, is_other: bool) -> (Arc<[Problem]>, bool) {
        let Self { store, failures, prune_failure, findings, refusals, .. } = self;
        findings.tell(is_other, |findings| {
            let refused = store.problems().chain(refusals.problems());
            let refused =
                refused.map(|(service, problem)| problem.at(findings.location_of(&service)));
            let failures = failures.iter().map(|(port, failure)| {
                let service = &port.port.service;
                let message = format!("is not served right at {port}: {}", failure.cause);
                Problem::error(format!("Service {service}"), message)
                    .at(findings.location_of(service))
            });
            let prune = prune_failure.iter().map(|cause| {
                Problem::error("map services", format!("still holds what is gone: {cause}"))
            });
            refused.chain(failures).chain(prune).collect()
        })
    }
}

fn is_failing(failures: &BTreeMap<FamilyPort, Failure>, service: &Name, family: Family) -> bool {
    let first = FamilyPort::first_of(service);
    let ports = failures.range(first..).map(|(port, _)| port);
    let mut ports = ports.take_while(|port| port.port.service == *service);
    ports.any(|port| port.family == family)
}
