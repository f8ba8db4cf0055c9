//! The text that monitoring reads: names, types, labels and buckets are kube-proxy's.

use std::collections::BTreeMap;
use std::time::Duration;

use dataplane_common::abi::Family;
use http::StatusCode;
use jiff::Timestamp;

use super::*;

/// What kube-proxy 1.36 in nftables mode has of its own, of its process and of its API server.
const TYPES: &str = "\
kubeproxy_network_programming_duration_seconds histogram
kubeproxy_proxy_healthz_total counter
kubeproxy_proxy_livez_total counter
kubeproxy_sync_full_proxy_rules_duration_seconds histogram
kubeproxy_sync_partial_proxy_rules_duration_seconds histogram
kubeproxy_sync_proxy_rules_duration_seconds histogram
kubeproxy_sync_proxy_rules_endpoint_changes_pending gauge
kubeproxy_sync_proxy_rules_endpoint_changes_total counter
kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds gauge
kubeproxy_sync_proxy_rules_last_timestamp_seconds gauge
kubeproxy_sync_proxy_rules_nftables_sync_failures_total counter
kubeproxy_sync_proxy_rules_no_local_endpoints_total gauge
kubeproxy_sync_proxy_rules_service_changes_pending gauge
kubeproxy_sync_proxy_rules_service_changes_total counter
process_cpu_seconds_total counter
process_max_fds gauge
process_open_fds gauge
process_resident_memory_bytes gauge
process_start_time_seconds gauge
process_virtual_memory_bytes gauge
rest_client_request_duration_seconds histogram
rest_client_requests_total counter
";

/// Something of everything.
fn busy() -> String {
    let metrics = Metrics::new().unwrap();
    let now = Timestamp::from_millisecond(1_767_225_600_500).unwrap();
    metrics.queued(Family::V4, now);
    metrics.changed(3, 2);
    metrics.synced(Family::V4, Round::Full(Duration::from_millis(3)), true, now);
    metrics.synced(Family::V6, Round::Partial(Duration::from_secs(20)), false, now);
    metrics.programmed(Family::V4, Duration::from_millis(59_500));
    metrics.no_local_endpoints(Family::V6, Policy::External, 7);
    metrics.healthz(StatusCode::OK);
    metrics.livez(StatusCode::SERVICE_UNAVAILABLE);
    metrics.requests.answered("GET", "api:6443", Some(200), Duration::from_millis(100));
    metrics.requests.answered("GET", "api:6443", None, Duration::from_secs(61));
    metrics.reply().body
}

#[test]
fn names_and_types_are_those_of_kube_proxy() {
    let types: String = busy()
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(types, TYPES);
}

#[test]
fn each_figure_has_its_labels_and_value() {
    let text = busy();
    for line in [
        "kubeproxy_sync_proxy_rules_endpoint_changes_total 3",
        "kubeproxy_sync_proxy_rules_service_changes_pending 2",
        "kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds{ip_family=\"IPv4\"} 1767225600.5",
        "kubeproxy_sync_proxy_rules_last_timestamp_seconds{ip_family=\"IPv4\"} 1767225600.5",
        "kubeproxy_sync_proxy_rules_nftables_sync_failures_total{ip_family=\"IPv6\"} 1",
        "kubeproxy_sync_proxy_rules_no_local_endpoints_total{ip_family=\"IPv6\",traffic_policy=\"external\"} 7",
        "kubeproxy_sync_full_proxy_rules_duration_seconds_count{ip_family=\"IPv4\"} 1",
        "kubeproxy_sync_partial_proxy_rules_duration_seconds_count{ip_family=\"IPv6\"} 1",
        "kubeproxy_sync_proxy_rules_duration_seconds_bucket{ip_family=\"IPv4\",le=\"0.004\"} 1",
        "kubeproxy_sync_proxy_rules_duration_seconds_bucket{ip_family=\"IPv6\",le=\"+Inf\"} 1",
        "kubeproxy_network_programming_duration_seconds_bucket{ip_family=\"IPv4\",le=\"59\"} 0",
        "kubeproxy_network_programming_duration_seconds_bucket{ip_family=\"IPv4\",le=\"60\"} 1",
        "kubeproxy_proxy_healthz_total{code=\"200\"} 1",
        "rest_client_requests_total{code=\"200\",host=\"api:6443\",method=\"GET\"} 1",
        "rest_client_requests_total{code=\"<error>\",host=\"api:6443\",method=\"GET\"} 1",
        "rest_client_request_duration_seconds_bucket{host=\"api:6443\",verb=\"GET\",le=\"0.1\"} 1",
        "rest_client_request_duration_seconds_bucket{host=\"api:6443\",verb=\"GET\",le=\"60\"} 1",
        "rest_client_request_duration_seconds_count{host=\"api:6443\",verb=\"GET\"} 2",
        "kubeproxy_proxy_livez_total{code=\"503\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn durations_have_the_buckets_of_kube_proxy() {
    let mut buckets = BTreeMap::<String, Vec<f64>>::new();
    for line in busy().lines() {
        let Some((name, rest)) = line.split_once("_bucket{ip_family=\"IPv4\",le=\"") else {
            continue;
        };
        let bound = rest.split('"').next().unwrap();
        buckets.entry(name.to_owned()).or_default().push(bound.parse().unwrap());
    }
    let inf = f64::INFINITY;
    let sync: Vec<_> = (0..15).map(|power| 0.001 * f64::from(1 << power)).chain([inf]).collect();
    let seconds = (1..=59).chain((60..=115).step_by(5)).chain((120..=300).step_by(30));
    let programming = [0.25, 0.5].into_iter().chain(seconds.map(f64::from)).chain([inf]).collect();
    let expected = [
        ("kubeproxy_network_programming_duration_seconds", programming),
        ("kubeproxy_sync_full_proxy_rules_duration_seconds", sync.clone()),
        ("kubeproxy_sync_proxy_rules_duration_seconds", sync),
    ];
    assert_eq!(buckets, expected.map(|(name, bounds)| (name.to_owned(), bounds)).into());
}
