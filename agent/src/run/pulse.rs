//! What the loop tells of itself: to load balancers, kubelets and monitoring.

use std::collections::BTreeSet;
use std::sync::Arc;

use dataplane_common::abi::Family;

use super::news;
use crate::config::{Config, NodePortAddress};
use crate::engine::{Engine, Report};
use crate::health::{Binds, Moment, Purpose, Servers, Vitals, listen_addresses, problems};
use crate::http::{Failures, families};
use crate::k8s::{Change, Event, Kind};
use crate::metrics::{self, Metrics, Triggers};
use crate::model::NodeSpec;
use crate::network::Addresses;
use crate::problem::Problem;

/// What the loop tells of itself.
pub(super) struct Pulse {
    vitals: Arc<Vitals>,
    servers: Servers,
    triggers: Triggers,
    families: BTreeSet<Family>,
    node_port_addresses: Vec<NodePortAddress>,
    is_listed: bool,
    /// Whether the round that began last is one in which all objects were listed.
    is_full: bool,
    /// Whether this node's Node was there once.
    knew_node: bool,
    node: String,
    /// What could not be opened when it was last told.
    told: Failures<Purpose>,
    /// Whether a port of its own that is taken is the end.
    is_strict: bool,
    /// Whether the Node's condition `NetworkUnavailable` is taken back.
    sets_condition: bool,
}

impl Pulse {
    /// Begins to answer.
    ///
    /// # Errors
    /// When there can be no thread for it.
    pub(super) fn begin(node: &str, config: &Config, metrics: Metrics) -> anyhow::Result<Self> {
        let vitals = Arc::new(Vitals::new(metrics, config.sync_period.saturating_mul(2)));
        let binds =
            Binds { health: config.healthz_bind_address, metrics: config.metrics_bind_address };
        Ok(Self {
            servers: Servers::start(binds, Arc::clone(&vitals))?,
            vitals,
            triggers: Triggers::new(Moment::now().steady),
            families: families().collect(),
            node_port_addresses: config.node_port_addresses.clone(),
            is_listed: false,
            is_full: false,
            knew_node: false,
            node: node.to_owned(),
            told: Failures::new(),
            is_strict: config.bind_address_hard_fail,
            sets_condition: config.set_node_network_unavailable,
        })
    }

    /// A round begins. From here on changes wait, however long the kernel takes.
    pub(super) fn round(&mut self, changes: &[Change]) -> Moment {
        let now = Moment::now();
        let count = |is_one: fn(Kind) -> bool| {
            changes.iter().filter(|change| kind(change).is_some_and(is_one)).count()
        };
        let endpoints = count(|kind| matches!(kind, Kind::EndpointSlice | Kind::Endpoints));
        self.vitals.metrics.changed(endpoints, count(|kind| kind == Kind::Service));
        changes.iter().for_each(|change| self.triggers.note(change, now));
        self.is_full = changes.iter().any(|change| matches!(change, Change::Listed { .. }));
        if self.is_full && !self.is_listed {
            self.is_listed = true;
            self.families.iter().for_each(|family| self.vitals.updated(*family, now));
        }
        if self.is_listed && (self.is_full || changes.iter().any(|change| kind(change).is_some())) {
            self.families.iter().for_each(|family| self.vitals.queued(*family, now));
        }
        now
    }

    /// The round that began then has ended.
    pub(super) fn ended(&mut self, began: Moment, report: &Report, engine: &Engine) {
        if !report.listed {
            return;
        }
        let (now, metrics) = (Moment::now(), &self.vitals.metrics);
        metrics.taken_in();
        let took = now.steady - began.steady;
        let kind = if self.is_full { metrics::Round::Full } else { metrics::Round::Partial };
        for &family in &self.families {
            let is_done = !report.behind.contains(&family);
            metrics.synced(family, kind(took), is_done, now.wall);
            if is_done {
                self.vitals.updated(family, now);
            }
        }
        for (family, policy, count) in engine.closed_here() {
            metrics.no_local_endpoints(family, policy, count);
        }
        let is_failing = |service: &_, family| engine.is_failing(service, family);
        for (family, latency) in self.triggers.programmed(is_failing, now.steady) {
            metrics.programmed(family, latency);
        }
        self.node(engine);
        self.servers.answer(engine.health_checks());
    }

    /// A Node that is not known yet may be fine; one that was there and is gone is not.
    fn node(&mut self, engine: &Engine) {
        let node = engine.own_node();
        self.knew_node |= node.is_some();
        let is_eligible = node.map_or(!self.knew_node, |node| !node.is_leaving);
        self.vitals.set_node_eligible(is_eligible);
    }

    /// The Node that is to be said to have a network, now that what leads to all others is there, if
    /// it is not said yet.
    pub(super) fn unavailable(&self, own: Option<&NodeSpec>, are_all: bool) -> Option<String> {
        let own = own.filter(|own| self.sets_condition && are_all && own.is_network_unavailable);
        own.map(|own| own.name.clone())
    }

    /// The node has these addresses.
    pub(super) fn listen(&self, addresses: &Addresses) {
        // While the Node cannot be read nothing is known of them.
        if *addresses != Addresses::default() {
            let served = &addresses.node_ports;
            self.servers.listen(listen_addresses(&self.node_port_addresses, served));
        }
    }

    /// What is wrong with the servers.
    pub(super) fn problems(&self) -> Vec<Problem> {
        problems(&self.servers.failures())
    }

    /// What the agent is to end for.
    pub(super) fn fatal(&self) -> Option<Problem> {
        let mut failures = self.servers.failures();
        failures.retain(|door, _| matches!(door.purpose, Purpose::Health | Purpose::Metrics));
        problems(&failures).into_iter().next().filter(|_| self.is_strict)
    }

    /// What happened since it was last asked, for those who look at the objects concerned.
    pub(super) fn news(&mut self) -> Vec<Event> {
        let failures = self.servers.failures();
        let events = news::refused(&self.told, &failures, &self.node);
        self.told = failures;
        events
    }

    /// Waits until something else is. May be dropped and called again.
    pub(super) async fn changed(&mut self) {
        self.servers.changed().await;
    }
}

fn kind(change: &Change) -> Option<Kind> {
    match change {
        Change::Apply(object) => Some(object.object_ref().kind),
        Change::Delete(object) => Some(object.kind),
        Change::SourceProblems(_) | Change::Listed { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::devices::tests::node;

    #[tokio::test]
    async fn a_port_that_is_taken_is_the_end_where_that_is_asked_for() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = taken.local_addr().unwrap();
        let nowhere = "127.0.0.1:0".parse().unwrap();
        for (bind_address_hard_fail, health, metrics) in
            [(true, at, nowhere), (true, nowhere, at), (false, at, nowhere)]
        {
            let config = Config {
                bind_address_hard_fail,
                healthz_bind_address: health,
                metrics_bind_address: metrics,
                ..Config::default()
            };
            let mut pulse = Pulse::begin("a", &config, Metrics::new().unwrap()).unwrap();
            pulse.changed().await;
            assert_eq!(pulse.fatal().is_some(), bind_address_hard_fail, "{health} {metrics}");
            assert_eq!(pulse.problems().len(), 1, "{health} {metrics}");
        }
    }

    #[tokio::test]
    async fn a_node_is_said_to_have_a_network_once_there_are_ways_to_all_others() {
        let nowhere = "127.0.0.1:0".parse().unwrap();
        for (is_set, are_all, is_network_unavailable) in
            (0..8).map(|row| (row & 1, row & 2, row & 4))
        {
            let [is_set, are_all, is_network_unavailable] =
                [is_set, are_all, is_network_unavailable].map(|bit| bit != 0);
            let config = Config {
                set_node_network_unavailable: is_set,
                healthz_bind_address: nowhere,
                metrics_bind_address: nowhere,
                ..Config::default()
            };
            let pulse = Pulse::begin("a", &config, Metrics::new().unwrap()).unwrap();
            let own = NodeSpec { is_network_unavailable, ..node("a", &[], &[]) };
            let found = pulse.unavailable(Some(&own), are_all);
            let expected = is_set && are_all && is_network_unavailable;
            assert_eq!(found.is_some(), expected, "{config:?} {are_all} {own:?}");
            assert_eq!(pulse.unavailable(None, are_all), None);
        }
    }
}
