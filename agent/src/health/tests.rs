//! The rows of kube-proxy's `healthcheck_test.go` under their names there, and what is answered to
//! the byte. Time passes when a test says so.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dataplane_common::abi::Family;
use jiff::{SignedDuration, Timestamp};

use super::wanted::doors;
use super::*;
use crate::config::NodePortAddress;
use crate::http::Reply;
use crate::metrics::Metrics;
use crate::model::{HealthCheck, Name};

const PATIENCE: Duration = Duration::from_secs(10);

/// A proxy and its clock.
struct Proxy {
    vitals: Vitals,
    now: Moment,
}

impl Proxy {
    fn new() -> Self {
        let wall = Timestamp::from_second(1_767_225_600).unwrap();
        let now = Moment { wall, steady: Instant::now() };
        Self { vitals: Vitals::new(Metrics::new().unwrap(), PATIENCE), now }
    }

    fn pass(&mut self, time: Duration) {
        self.now = Moment { wall: self.now.wall + time, steady: self.now.steady + time };
    }

    /// Does one thing after the other: `q4` a change is queued in IPv4, `u46` both families are
    /// updated, `+25` so many seconds pass, `j-60` the clock of
    /// people jumps, `n1` the node is eligible, `=503` the status at `path`.
    fn walk(&mut self, path: &str, script: &str) {
        let mut told = BTreeMap::<String, usize>::new();
        for step in script.split_whitespace() {
            let (what, rest) = step.split_at(1);
            let families = rest.chars().map(|c| if c == '4' { Family::V4 } else { Family::V6 });
            match what {
                "q" => families.for_each(|family| self.vitals.queued(family, self.now)),
                "u" => families.for_each(|family| self.vitals.updated(family, self.now)),
                "+" => self.pass(Duration::from_secs(rest.parse().unwrap())),
                "j" => self.now.wall += SignedDuration::from_secs(rest.parse().unwrap()),
                "n" => self.vitals.set_node_eligible(rest == "1"),
                "=" => {
                    let status = self.vitals.health(path, self.now).status;
                    *told.entry(rest.to_owned()).or_default() += 1;
                    assert_eq!(status.as_str(), rest, "{path} after {script:?} up to {step}");
                    self.assert_counted(path, &told);
                }
                other => panic!("no step {other}"),
            }
        }
    }

    fn be(&mut self, is_healthy: bool) {
        if is_healthy {
            self.vitals.updated(Family::V4, self.now);
        } else {
            self.vitals.queued(Family::V4, self.now);
            self.pass(PATIENCE);
        }
    }

    fn assert_counted(&self, path: &str, told: &BTreeMap<String, usize>) {
        let metrics = self.vitals.figures("/metrics").body;
        for (code, count) in told {
            let name = path.trim_start_matches('/');
            let line = format!("kubeproxy_proxy_{name}_total{{code=\"{code}\"}} {count}\n");
            assert!(metrics.contains(&line), "{line}{metrics}");
        }
    }
}

/// What both paths go through, as `testProxyHealthUpdater` of kube-proxy has it.
const UPDATES: &str = "
    =200 u46 =200 +25 =200
    q4 +25 =503 u46 +5 =200
    q6 +25 =503 u46 +5 =200
    q46 +25 =503 u46 +5 =200
    q6 +25 =503 u4 =503 u6 =200
    q46 +25 =503 u4 =503 u6 =200";

#[test]
fn test_healthz_server() {
    let mut proxy = Proxy::new();
    proxy.walk("/healthz", &format!("{UPDATES} n1 =200 n0 =503 n1 =200 n0 =503"));
}

#[test]
fn test_livez_server() {
    let mut proxy = Proxy::new();
    proxy.walk("/livez", &format!("{UPDATES} n1 =200 n0 =200 n1 =200 n0 =200"));
}

#[test]
fn only_the_oldest_change_that_waits_counts_and_none_before_the_first_sync() {
    for (name, script) in [
        ("before the first", "q46 +60 =200 u46 =200"),
        ("in time", "u46 q4 +9 =200"),
        ("too late", "u46 q4 +10 =503"),
        ("a later change does not help", "u46 q4 +6 q4 +4 =503"),
        ("each sync begins anew", "u46 q4 +6 u4 q4 +6 =200 +4 =503"),
        ("one family only", "u4 q6 +60 =200"),
    ] {
        println!("{name}");
        Proxy::new().walk("/livez", script);
    }
}

#[test]
fn a_clock_that_jumps_makes_nobody_late() {
    Proxy::new().walk("/livez", "u46 q4 j3600 =200 j-7200 =200 +10 =503");
}

fn head(reply: &Reply) -> Vec<(&str, &str)> {
    reply.headers.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

const JSON: [(&str, &str); 2] =
    [("content-type", "application/json"), ("x-content-type-options", "nosniff")];

#[test]
fn the_proxys_health_is_told_in_the_words_of_kube_proxy() {
    let starting = r#"{"lastUpdated":"2026-01-01T00:00:00Z","currentTime":"2026-01-01T00:00:00Z","healthy":true}"#;
    let never = r#"{"lastUpdated":"0001-01-01T00:00:00Z","currentTime":"2026-01-01T00:00:00Z","nodeEligible":false,"healthy":true}"#;
    let late = r#"{"lastUpdated":"2026-01-01T00:00:01.5Z","currentTime":"2026-01-01T00:00:11.5Z","nodeEligible":true,"healthy":false,"status":{"IPv4":{"lastUpdated":"2026-01-01T00:00:00Z","healthy":false},"IPv6":{"lastUpdated":"2026-01-01T00:00:01.5Z","healthy":true}}}"#;
    let well = r#"{"lastUpdated":"2026-01-01T00:00:11.5Z","currentTime":"2026-01-01T00:00:11.5Z","healthy":true,"status":{"IPv4":{"lastUpdated":"2026-01-01T00:00:11.5Z","healthy":true},"IPv6":{"lastUpdated":"2026-01-01T00:00:01.5Z","healthy":true}}}"#;
    let mut proxy = Proxy::new();
    assert_eq!(proxy.vitals.health("/livez", proxy.now), reply(200, starting));
    proxy.vitals.set_node_eligible(false);
    assert_eq!(proxy.vitals.health("/healthz", proxy.now), reply(503, never));
    proxy.vitals.set_node_eligible(true);
    proxy.vitals.updated(Family::V4, proxy.now);
    proxy.vitals.queued(Family::V4, proxy.now);
    proxy.pass(Duration::from_millis(1500));
    proxy.vitals.updated(Family::V6, proxy.now);
    proxy.pass(PATIENCE);
    assert_eq!(proxy.vitals.health("/healthz", proxy.now), reply(503, late));
    proxy.vitals.updated(Family::V4, proxy.now);
    assert_eq!(proxy.vitals.health("/livez", proxy.now), reply(200, well));
}

fn reply(status: u16, body: &str) -> Reply {
    Reply::json(http::StatusCode::from_u16(status).unwrap(), body)
}

fn check(port: u16, count: usize) -> HealthCheck {
    HealthCheck { port, local: [(Family::V4, count), (Family::V6, 0)].into() }
}

fn checks(checks: &[(&str, u16, usize)]) -> Arc<BTreeMap<Name, HealthCheck>> {
    let named =
        |(name, port, count): &(&str, u16, usize)| (Name::new("a", *name), check(*port, *count));
    Arc::new(checks.iter().map(named).collect())
}

/// Where somebody listens for these Services, in IPv4.
fn open(services: &BTreeMap<Name, HealthCheck>) -> BTreeSet<SocketAddr> {
    let any = [IpAddr::from([0, 0, 0, 0])].into();
    doors(BINDS, services, &any).into_iter().map(|door| door.at).collect()
}

/// Where somebody should.
fn wanted(services: &BTreeMap<Name, HealthCheck>) -> BTreeSet<SocketAddr> {
    let ports = services.values().map(|check| SocketAddr::from(([0, 0, 0, 0], check.port)));
    ports.chain([BINDS.health, BINDS.metrics]).collect()
}

#[test]
fn test_server() {
    let mut proxy = Proxy::new();
    proxy.walk("/livez", "u46");
    for (name, services, is_healthy, expected) in [
        ("nothing", &[][..], true, &[][..]),
        ("no endpoint", &[("b", 9376, 0)], true, &[("b", 0, 503)]),
        ("endpoints", &[("b", 9376, 18)], true, &[("b", 18, 200)]),
        ("no endpoint again", &[("b", 9376, 0)], true, &[("b", 0, 503)]),
        (
            "several",
            &[("b", 9376, 9), ("d", 12909, 3), ("f", 11113, 7)],
            true,
            &[("b", 9, 200), ("d", 3, 200), ("f", 7, 200)],
        ),
        (
            "one gone, one moved, one more",
            &[("d", 12909, 3), ("f", 11114, 7), ("h", 11878, 6)],
            true,
            &[("d", 3, 200), ("f", 7, 200), ("h", 6, 200)],
        ),
        (
            "a sick proxy",
            &[("d", 12909, 0), ("f", 11114, 7)],
            false,
            &[("d", 0, 503), ("f", 7, 503)],
        ),
        ("well again", &[("d", 12909, 0), ("f", 11114, 7)], true, &[("d", 0, 503), ("f", 7, 200)]),
    ] {
        proxy.be(is_healthy);
        let services = checks(services);
        proxy.vitals.set_checks(Arc::clone(&services));
        assert_eq!(open(&services), wanted(&services), "{name}");
        for (service, count, status) in expected {
            let reply = proxy.vitals.check(&Name::new("a", *service), Family::V4, proxy.now);
            assert_eq!(reply, told(service, *count, is_healthy, *status), "{name}");
        }
    }
}

const BINDS: Binds = Binds {
    health: SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 10_256),
    metrics: SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 10_249),
};

fn told(service: &str, count: usize, is_healthy: bool, status: u16) -> Reply {
    let body = format!(
        r#"{{
	"service": {{
		"namespace": "a",
		"name": "{service}"
	}},
	"localEndpoints": {count},
	"serviceProxyHealthy": {is_healthy}
}}"#
    );
    reply(status, &body).with("x-load-balancing-endpoint-weight", count.to_string())
}

#[test]
fn a_node_that_goes_answers_for_its_services_as_before() {
    let mut proxy = Proxy::new();
    proxy.walk("/healthz", "u46 n0 =503");
    proxy.vitals.set_checks(checks(&[("b", 9376, 1)]));
    let found = proxy.vitals.check(&Name::new("a", "b"), Family::V4, proxy.now);
    assert_eq!(found, told("b", 1, true, 200));
}

#[test]
fn a_service_of_any_name_is_told_of_in_json() {
    let proxy = Proxy::new();
    let reply = proxy.vitals.check(&Name::new("a", "\"\n"), Family::V4, proxy.now);
    let body: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(body["service"]["name"], "\"\n");
}

#[test]
fn test_server_with_selective_listening_address() {
    let ips =
        |texts: &[&str]| texts.iter().map(|ip| ip.parse().unwrap()).collect::<BTreeSet<IpAddr>>();
    let entries = |texts: &[&str]| {
        texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<NodePortAddress>>()
    };
    for (configured, served, expected) in [
        (&["primary"][..], &["192.0.2.1", "fd00::1"][..], &["192.0.2.1", "fd00::1"][..]),
        (&["127.0.0.0/8"], &["127.0.0.1"], &["127.0.0.1"]),
        (&["192.0.2.0/24"], &[], &[]),
        (&["all"], &["192.0.2.1"], &["0.0.0.0", "::"]),
        (&["0.0.0.0/0"], &["192.0.2.1", "fd00::1"], &["0.0.0.0", "fd00::1"]),
        (&["::/0", "10.0.0.0/8"], &["10.0.0.1", "fd00::1"], &["10.0.0.1", "::"]),
    ] {
        let found = listen_addresses(&entries(configured), &ips(served));
        assert_eq!(found, ips(expected), "{configured:?}");
        let check = checks(&[("b", 9376, 0)]);
        let open = doors(BINDS, &check, &found).into_iter().filter(|door| door.at.port() == 9376);
        assert_eq!(open.map(|door| door.at.ip()).collect::<BTreeSet<_>>(), ips(expected));
    }
}

#[test]
fn a_service_of_one_family_leaves_its_port_of_the_other_alone() {
    let only = HealthCheck { port: 9376, local: [(Family::V6, 1)].into() };
    let addresses = ["192.0.2.1", "fd00::1"].map(|ip| ip.parse().unwrap()).into();
    let open = doors(BINDS, &[(Name::new("a", "b"), only)].into(), &addresses);
    let open: Vec<_> = open.into_iter().filter(|door| door.at.port() == 9376).collect();
    assert_eq!(open.iter().map(|door| door.at.to_string()).collect::<Vec<_>>(), ["[fd00::1]:9376"]);
}

#[test]
fn other_paths_have_nothing_and_the_metrics_port_has_its_own() {
    let proxy = Proxy::new();
    let plain = [("content-type", "text/plain; charset=utf-8"), JSON[1]];
    for (reply, status, headers, body) in [
        (proxy.vitals.health("/", proxy.now), 404, plain, "404 page not found\n"),
        (proxy.vitals.health("/healthz/x", proxy.now), 404, plain, "404 page not found\n"),
        (proxy.vitals.figures("/livez"), 404, plain, "404 page not found\n"),
        (proxy.vitals.figures("/healthz"), 200, plain, "ok"),
        (proxy.vitals.figures("/proxyMode"), 200, plain, "nftables"),
        (proxy.vitals.health("/livez", proxy.now), 200, JSON, ""),
    ] {
        assert_eq!((reply.status.as_u16(), head(&reply)), (status, headers.to_vec()), "{body}");
        assert!(body.is_empty() || reply.body == body, "{body}");
    }
}
