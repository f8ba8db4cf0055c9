//! The figures, and the text they are read as.

use std::time::Duration;

use dataplane_common::abi::Family;
use http::StatusCode;
use jiff::Timestamp;
use prometheus::core::Collector;
use prometheus::{
    Error, Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder, exponential_buckets, linear_buckets,
};

use super::process::Process;
use super::requests::Requests;
use crate::http::Reply;

/// The form of the text (Prometheus exposition format 0.0.4).
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";

const FAMILY: &str = "ip_family";

/// Figures of one agent.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Requests to the API server.
    pub requests: Requests,
    registry: Registry,
    sync_duration: HistogramVec,
    full_sync_duration: HistogramVec,
    partial_sync_duration: HistogramVec,
    programming_duration: HistogramVec,
    last_queued: GaugeVec,
    last_synced: GaugeVec,
    sync_failures: IntCounterVec,
    endpoint_changes: Changes,
    service_changes: Changes,
    no_local_endpoints: IntGaugeVec,
    healthz: IntCounterVec,
    livez: IntCounterVec,
    process: Process,
}

/// Changes of objects: all, and those that wait.
#[derive(Clone, Debug)]
struct Changes {
    all: IntCounter,
    pending: IntGauge,
}

/// A round of changes to the tables, and how long it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// All objects were listed.
    Full(Duration),
    /// Some had changed.
    Partial(Duration),
}

/// A traffic policy that may be Local.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// `internalTrafficPolicy`.
    Internal,
    /// `externalTrafficPolicy`.
    External,
}

/// A family as kube-proxy names it.
#[must_use]
pub const fn family_label(family: Family) -> &'static str {
    match family {
        Family::V4 => "IPv4",
        Family::V6 => "IPv6",
    }
}

impl Policy {
    const fn label(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::External => "external",
        }
    }
}

impl Metrics {
    /// All at zero.
    ///
    /// # Errors
    /// Never, but for a name that is none or is taken.
    pub fn new() -> Result<Self, Error> {
        let book = Book(Registry::new());
        Ok(Self {
            requests: book.requests()?,
            sync_duration: book.rounds(
                "kubeproxy_sync_proxy_rules_duration_seconds",
                "Time that a round of changes to the tables took",
            )?,
            full_sync_duration: book.rounds(
                "kubeproxy_sync_full_proxy_rules_duration_seconds",
                "Time that a round took in which all objects were listed",
            )?,
            partial_sync_duration: book.rounds(
                "kubeproxy_sync_partial_proxy_rules_duration_seconds",
                "Time that a round took in which some objects had changed",
            )?,
            programming_duration: book.durations(
                "kubeproxy_network_programming_duration_seconds",
                "Time from a change of a pod or Service to the tables that serve it",
                programming_buckets()?,
            )?,
            last_queued: book.times(
                "kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds",
                "When there was last a change to be programmed",
            )?,
            last_synced: book.times(
                "kubeproxy_sync_proxy_rules_last_timestamp_seconds",
                "When the tables were last as they shall be",
            )?,
            sync_failures: book.failures()?,
            endpoint_changes: book.changes("endpoint", "EndpointSlices")?,
            service_changes: book.changes("service", "Services")?,
            no_local_endpoints: book.policies()?,
            healthz: book.counts("kubeproxy_proxy_healthz_total", "Answers at /healthz", "code")?,
            livez: book.counts("kubeproxy_proxy_livez_total", "Answers at /livez", "code")?,
            process: book.process()?,
            registry: book.0,
        })
    }

    /// There is a change to be programmed.
    pub fn queued(&self, family: Family, now: Timestamp) {
        self.last_queued.with_label_values(&[family_label(family)]).set(seconds(now));
    }

    /// A round of changes to the tables ended, with everything programmed or not.
    pub fn synced(&self, family: Family, round: Round, is_done: bool, now: Timestamp) {
        let family = &[family_label(family)];
        let (of_kind, took) = match round {
            Round::Full(took) => (&self.full_sync_duration, took),
            Round::Partial(took) => (&self.partial_sync_duration, took),
        };
        for durations in [&self.sync_duration, of_kind] {
            durations.with_label_values(family).observe(took.as_secs_f64());
        }
        if is_done {
            self.last_synced.with_label_values(family).set(seconds(now));
        } else {
            self.sync_failures.with_label_values(family).inc();
        }
    }

    /// So many objects that concern endpoints and so many Services changed.
    pub fn changed(&self, endpoints: usize, services: usize) {
        self.endpoint_changes.add(endpoints);
        self.service_changes.add(services);
    }

    /// All changes were taken in.
    pub fn taken_in(&self) {
        self.endpoint_changes.pending.set(0);
        self.service_changes.pending.set(0);
    }

    /// A change of endpoints was programmed so long after its cause.
    pub fn programmed(&self, family: Family, latency: Duration) {
        let family = &[family_label(family)];
        self.programming_duration.with_label_values(family).observe(latency.as_secs_f64());
    }

    /// How many ServicePorts have a Local policy and no endpoint of this node.
    pub fn no_local_endpoints(&self, family: Family, policy: Policy, count: usize) {
        let labels = &[family_label(family), policy.label()];
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.no_local_endpoints.with_label_values(labels).set(count);
    }

    /// An answer at `/healthz`.
    pub fn healthz(&self, status: StatusCode) {
        self.healthz.with_label_values(&[status.as_str()]).inc();
    }

    /// An answer at `/livez`.
    pub fn livez(&self, status: StatusCode) {
        self.livez.with_label_values(&[status.as_str()]).inc();
    }

    /// All of them, as text.
    #[must_use]
    pub fn reply(&self) -> Reply {
        self.process.look();
        match TextEncoder::new().encode_to_string(&self.registry.gather()) {
            Ok(text) => Reply::new(StatusCode::OK, CONTENT_TYPE, text),
            Err(error) => Reply {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                ..Reply::text(format!("{error}\n"))
            },
        }
    }
}

impl Changes {
    fn add(&self, count: usize) {
        self.all.inc_by(count.try_into().unwrap_or(u64::MAX));
        self.pending.add(count.try_into().unwrap_or(i64::MAX));
    }
}

/// Enters figures into a registry as it makes them.
struct Book(Registry);

impl Book {
    /// From a millisecond on, each bucket twice the one before.
    fn rounds(&self, name: &str, help: &str) -> Result<HistogramVec, Error> {
        self.durations(name, help, exponential_buckets(0.001, 2.0, 15)?)
    }

    fn durations(&self, name: &str, help: &str, buckets: Vec<f64>) -> Result<HistogramVec, Error> {
        let opts = HistogramOpts::new(name, help).buckets(buckets);
        self.enter(HistogramVec::new(opts, &[FAMILY])?)
    }

    fn times(&self, name: &str, help: &str) -> Result<GaugeVec, Error> {
        self.enter(GaugeVec::new(Opts::new(name, help), &[FAMILY])?)
    }

    fn counts(&self, name: &str, help: &str, label: &str) -> Result<IntCounterVec, Error> {
        self.enter(IntCounterVec::new(Opts::new(name, help), &[label])?)
    }

    fn changes(&self, what: &str, objects: &str) -> Result<Changes, Error> {
        let name = |end| format!("kubeproxy_sync_proxy_rules_{what}_changes_{end}");
        let all = IntCounter::new(name("total"), format!("Changes of {objects}"))?;
        let help = format!("Changes of {objects} not taken in yet");
        let pending = IntGauge::new(name("pending"), help)?;
        Ok(Changes { all: self.enter(all)?, pending: self.enter(pending)? })
    }

    fn failures(&self) -> Result<IntCounterVec, Error> {
        let help = "Rounds after which something was not programmed as it shall be";
        self.counts("kubeproxy_sync_proxy_rules_nftables_sync_failures_total", help, FAMILY)
    }

    fn policies(&self) -> Result<IntGaugeVec, Error> {
        let opts = Opts::new(
            "kubeproxy_sync_proxy_rules_no_local_endpoints_total",
            "ServicePorts with a Local policy and endpoints, of which none is of this node",
        );
        self.enter(IntGaugeVec::new(opts, &[FAMILY, "traffic_policy"])?)
    }

    fn requests(&self) -> Result<Requests, Error> {
        let requests = Requests::new()?;
        self.enter(requests.answers.clone())?;
        self.enter(requests.durations.clone())?;
        Ok(requests)
    }

    fn process(&self) -> Result<Process, Error> {
        let began = Gauge::new("process_start_time_seconds", "When the process began")?;
        self.enter(began)?.set(seconds(Timestamp::now()));
        let process = Process::new()?;
        self.enter(process.cpu_seconds.clone())?;
        for gauge in [
            &process.resident_bytes,
            &process.virtual_bytes,
            &process.open_files,
            &process.most_files,
        ] {
            self.enter(gauge.clone())?;
        }
        Ok(process)
    }

    fn enter<C: Collector + Clone + 'static>(&self, figure: C) -> Result<C, Error> {
        self.0.register(Box::new(figure.clone()))?;
        Ok(figure)
    }
}

/// A quarter and a half second, each second of the first minute, each five of the second, each
/// thirty up to five minutes (SIG Scalability's network programming latency).
fn programming_buckets() -> Result<Vec<f64>, Error> {
    let steps = [(0.25, 0.25, 2), (1.0, 1.0, 59), (60.0, 5.0, 12), (120.0, 30.0, 7)];
    let steps = steps.map(|(first, width, count)| linear_buckets(first, width, count));
    Ok(steps.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
}

/// Seconds since 1970.
fn seconds(time: Timestamp) -> f64 {
    time.as_duration().as_secs_f64()
}
