//! What the agent's loop tells of itself, and what is answered from it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dataplane_common::abi::Family;

use super::{Moment, ProxyHealth, bodies};
use crate::http::Reply;
use crate::metrics::Metrics;
use crate::model::{HealthCheck, Name};

/// What tools ask for at `/proxyMode`: they draw conclusions from it on how NodePorts behave, and
/// ours behave as in this mode of kube-proxy.
const PROXY_MODE: &str = "nftables";

/// How the proxy of this node is.
pub struct Vitals {
    /// Figures.
    pub metrics: Metrics,
    proxy: Mutex<ProxyHealth>,
    is_node_eligible: AtomicBool,
    checks: Mutex<Arc<BTreeMap<Name, HealthCheck>>>,
}

impl Vitals {
    /// Of a proxy that may take less than `patience` for a change.
    #[must_use]
    pub fn new(metrics: Metrics, patience: Duration) -> Self {
        Self {
            metrics,
            proxy: Mutex::new(ProxyHealth::new(patience)),
            // Until something else is known of the Node.
            is_node_eligible: AtomicBool::new(true),
            checks: Mutex::default(),
        }
    }

    /// There is a change to be programmed.
    pub fn queued(&self, family: Family, now: Moment) {
        held(&self.proxy).queued(family, now);
        self.metrics.queued(family, now.wall);
    }

    /// All that was queued is programmed.
    pub fn updated(&self, family: Family, now: Moment) {
        held(&self.proxy).updated(family, now);
    }

    /// Whether load balancers are to send to this node.
    pub fn set_node_eligible(&self, is_eligible: bool) {
        self.is_node_eligible.store(is_eligible, Ordering::Relaxed);
    }

    /// What load balancers ask about Services.
    pub fn set_checks(&self, checks: Arc<BTreeMap<Name, HealthCheck>>) {
        *held(&self.checks) = checks;
    }

    /// What is asked at a path of the proxy's health port.
    #[must_use]
    pub fn health(&self, path: &str, now: Moment) -> Reply {
        let state = || held(&self.proxy).state(now);
        match path {
            "/healthz" => {
                let is_eligible = self.is_node_eligible.load(Ordering::Relaxed);
                let reply = bodies::proxy(&state(), Some(is_eligible), now.wall);
                self.metrics.healthz(reply.status);
                reply
            }
            "/livez" => {
                let reply = bodies::proxy(&state(), None, now.wall);
                self.metrics.livez(reply.status);
                reply
            }
            _ => Reply::not_found(),
        }
    }

    /// What is asked at a path of the metrics' port.
    #[must_use]
    pub fn figures(&self, path: &str) -> Reply {
        match path {
            "/metrics" => self.metrics.reply(),
            "/proxyMode" => Reply::text(PROXY_MODE),
            "/healthz" | "/healthz/ping" => Reply::text("ok"),
            _ => Reply::not_found(),
        }
    }

    /// What a load balancer asks about a Service, at whatever path.
    #[must_use]
    pub fn check(&self, service: &Name, family: Family, now: Moment) -> Reply {
        let is_proxy_healthy = held(&self.proxy).state(now).is_healthy;
        let checks = held(&self.checks);
        let check = checks.get(service);
        let local = check.and_then(|check| check.local.get(&family)).copied().unwrap_or(0);
        bodies::service(service, local, is_proxy_healthy)
    }
}

/// Nobody panics while holding it.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
