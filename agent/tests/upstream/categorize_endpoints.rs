//! `TestCategorizeEndpoints` of `pkg/proxy/topology_test.go`, and what a change of zone does.

use serde_json::{Value, json};
use waggle_agent::engine::BackendRow;

use super::{endpoint_slice, node, service};
use crate::support::node::{NAME, Node};
use crate::support::watched::WatchedMaps;

/// A case: its name; the Service; the zone in the node's label; the endpoints; the Cluster set, where
/// the Service has a use for one; the same of the Local set; and whether anybody serves anywhere.
type Case<'a> =
    (&'a str, &'a str, Option<&'a str>, &'a [&'a str], Option<&'a [u8]>, Option<&'a [u8]>, bool);

/// No words are a Service of one cluster IP; `iTP` and `eTP` make that policy Local.
fn service_of(words: &str) -> Value {
    let policy = |word| if words.contains(word) { "Local" } else { "Cluster" };
    let is_outside = words.contains("nodePort");
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "type": if is_outside { "NodePort" } else { "ClusterIP" },
            "clusterIP": "10.96.0.1",
            "internalTrafficPolicy": policy("iTP"),
            "externalTrafficPolicy": policy("eTP"),
            "ports": [{"port": 80, "nodePort": if is_outside { 30_080 } else { 0 }}],
        },
    })
}

/// `L3r@a,b#n`: local, last byte of the address, ready (or any of `s` for serving and `t` for
/// terminating, or `-`), zones that it is meant for, nodes that it is meant for.
fn endpoint(text: &str) -> Value {
    let (text, nodes) = text.split_once('#').unwrap_or((text, ""));
    let (text, zones) = text.split_once('@').unwrap_or((text, ""));
    let number = text[1..].trim_end_matches(|end: char| !end.is_ascii_digit());
    let condition = &text[1 + number.len()..];
    let names = |names: &str| {
        let names = names.split(',').filter(|name| !name.is_empty());
        names.map(|name| json!({"name": name})).collect::<Vec<_>>()
    };
    json!({
        "addresses": [format!("10.1.0.{number}")],
        "nodeName": if text.starts_with('L') { NAME } else { "node-b" },
        "conditions": {
            "ready": condition == "r",
            "serving": condition.contains(['r', 's']),
            "terminating": condition.contains('t'),
        },
        "hints": {"forZones": names(zones), "forNodes": names(nodes)},
    })
}

fn slice_of(endpoints: &[&str]) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": "web-1", "namespace": "default",
                     "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "ports": [{"name": "", "port": 80}],
        "endpoints": endpoints.iter().map(|text| endpoint(text)).collect::<Vec<_>>(),
    })
}

fn node_in(zone: Option<&str>) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": NAME, "labels": {"topology.kubernetes.io/zone": zone}},
    })
}

/// A node that knows all this, its own Node object last if it is late.
fn told(words: &str, zone: Option<&str>, endpoints: &[&str]) -> Node {
    let mut node_here = Node::new(WatchedMaps::default());
    let labels = node(match zone {
        Some(zone) => node_in(Some(zone)),
        None => json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NAME}}),
    });
    node_here.feed(vec![service(service_of(words)), endpoint_slice(slice_of(endpoints)), labels]);
    node_here
}

/// Last bytes of the addresses in a set.
fn members(node: &Node, scope: &str) -> Vec<u8> {
    let rows = node.engine.services();
    let is_in = |row: &&BackendRow| row.scopes.iter().any(|of| of == scope);
    let last = |row: &BackendRow| row.address.to_string()[7..].split(':').next()?.parse().ok();
    let mut members: Vec<_> =
        rows.iter().flat_map(|row| &row.backends).filter(is_in).filter_map(last).collect();
    members.sort_unstable();
    members
}

fn check(cases: &[Case]) {
    for (name, words, zone, endpoints, cluster, local, is_any) in cases {
        let node = told(words, *zone, endpoints);
        let found = members(&node, "cluster");
        assert_eq!(!found.is_empty(), *is_any, "{name}: anybody serves");
        if let Some(cluster) = cluster {
            assert_eq!(found, *cluster, "{name}: Cluster set");
        }
        assert_eq!(members(&node, "local"), local.unwrap_or_default(), "{name}: Local set");
    }
}

const A: Option<&str> = Some("a");
const FOUR: &[&str] = &["R3r@a", "R4r@b", "R5r@c", "R6r@a"];
const HALF_LOCAL: &[&str] = &["L3r@a", "L4r@b", "R5r@c", "R6r@a"];
const REMOTE: &[&str] = &["R0r", "R1r"];
const HALF: &[&str] = &["L0r", "R1r"];
const MIXED: &[&str] = &["R0r", "L1-", "L2st", "R3st"];

const BY_ZONES: &[Case] = &[
    ("hints, same zone", "", A, FOUR, Some(&[3, 6]), None, true),
    (
        "externalTrafficPolicy: Local, topology ignored for Local endpoints",
        "eTP nodePort",
        A,
        HALF_LOCAL,
        Some(&[3, 6]),
        Some(&[3, 4]),
        true,
    ),
    (
        "internalTrafficPolicy: Local, topology ignored for Local endpoints",
        "iTP nodePort",
        A,
        HALF_LOCAL,
        Some(&[3, 6]),
        Some(&[3, 4]),
        true,
    ),
    ("empty node labels", "", None, &["R3r@a"], Some(&[3]), None, true),
    ("empty zone label", "", Some(""), &["R3r@a"], Some(&[3]), None, true),
    (
        "node in different zone, no endpoint filtering",
        "",
        Some("b"),
        &["R3r@a"],
        Some(&[3]),
        None,
        true,
    ),
    ("unready endpoint", "", A, &["R3r@a", "R4r@b", "R5r@c", "R6-@a"], Some(&[3]), None, true),
    (
        "only unready endpoints in same zone (should not filter)",
        "",
        A,
        &["R3-@a", "R4r@b", "R5r@c", "R6-@a"],
        Some(&[4, 5]),
        None,
        true,
    ),
    (
        "missing hints, no filtering applied",
        "",
        A,
        &["R3r@a", "R4r@b", "R5r", "R6r@a"],
        Some(&[3, 4, 5, 6]),
        None,
        true,
    ),
    (
        "multiple hints per endpoint, filtering includes any endpoint with zone included",
        "",
        Some("c"),
        &["R3r@a,b,c", "R4r@b,c", "R5r@b,d", "R6r@c"],
        Some(&[3, 4, 6]),
        None,
        true,
    ),
    (
        "conflicting topology and localness require merging allEndpoints",
        "eTP nodePort",
        A,
        &["L0r@a", "L1r@b", "R2r@a", "R3r@b"],
        Some(&[0, 2]),
        Some(&[0, 1]),
        true,
    ),
];

#[test]
fn test_categorize_endpoints_by_hints_of_zones() {
    check(BY_ZONES);
}

const BY_NODES: &[Case] = &[
    (
        "same node",
        "",
        A,
        &["L3r@a#node-a", "R4r@a#node-b", "R5r@b#node-a"],
        Some(&[3, 5]),
        None,
        true,
    ),
    ("same node, no zone", "", None, &["L3r#node-a", "R4r#node-b"], Some(&[3]), None, true),
    (
        "none for this node: same zone",
        "",
        A,
        &["R3r@a#node-b", "R4r@b#node-b"],
        Some(&[3]),
        None,
        true,
    ),
    (
        "none for this node nor for its zone",
        "",
        Some("c"),
        &["R3r@a#node-b", "R4r@b#node-b"],
        Some(&[3, 4]),
        None,
        true,
    ),
    (
        "one without a node hint: same zone",
        "",
        A,
        &["L3r@a#node-a", "R4r@a", "R5r@b#node-b"],
        Some(&[3, 4]),
        None,
        true,
    ),
    (
        "unready endpoints do not count",
        "",
        A,
        &["L3-@a#node-a", "R4r@a#node-b", "R5r@b#node-b", "R6-"],
        Some(&[4]),
        None,
        true,
    ),
    (
        "terminating endpoints serve wherever they are",
        "",
        A,
        &["L3st@a#node-a", "R4st@b#node-b"],
        Some(&[3, 4]),
        None,
        true,
    ),
];

#[test]
fn test_categorize_endpoints_by_hints_of_nodes() {
    check(BY_NODES);
}

const BY_POLICY: &[Case] = &[
    (
        "internalTrafficPolicy: Local, with empty endpoints",
        "iTP",
        None,
        &[],
        None,
        Some(&[]),
        false,
    ),
    (
        "internalTrafficPolicy: Local, but all endpoints are remote",
        "iTP",
        None,
        REMOTE,
        None,
        Some(&[]),
        true,
    ),
    (
        "internalTrafficPolicy: Local, all endpoints are local",
        "iTP",
        None,
        &["L0r", "L1r"],
        None,
        Some(&[0, 1]),
        true,
    ),
    (
        "internalTrafficPolicy: Local, some endpoints are local",
        "iTP",
        None,
        HALF,
        None,
        Some(&[0]),
        true,
    ),
    (
        "Cluster traffic policy, endpoints not Ready",
        "",
        None,
        &["R0-", "R1-"],
        Some(&[]),
        None,
        false,
    ),
    (
        "Cluster traffic policy, some endpoints are Ready",
        "",
        None,
        &["R0-", "R1r"],
        Some(&[1]),
        None,
        true,
    ),
    (
        "Cluster traffic policy, all endpoints are terminating",
        "",
        None,
        &["L0st", "R1st"],
        Some(&[0, 1]),
        None,
        true,
    ),
    (
        "iTP: Local, eTP: Cluster, some endpoints local",
        "iTP nodePort",
        None,
        HALF,
        Some(&[0, 1]),
        Some(&[0]),
        true,
    ),
    (
        "iTP: Cluster, eTP: Local, some endpoints local",
        "eTP nodePort",
        None,
        HALF,
        Some(&[0, 1]),
        Some(&[0]),
        true,
    ),
    (
        "iTP: Local, eTP: Local, some endpoints local",
        "iTP eTP nodePort",
        None,
        HALF,
        Some(&[0, 1]),
        Some(&[0]),
        true,
    ),
    (
        "iTP: Local, eTP: Local, all endpoints remote",
        "iTP eTP nodePort",
        None,
        REMOTE,
        Some(&[0, 1]),
        Some(&[]),
        true,
    ),
    (
        "iTP: Local, eTP: Local, all endpoints remote and terminating",
        "iTP eTP nodePort",
        None,
        &["R0st", "R1st"],
        Some(&[0, 1]),
        Some(&[]),
        true,
    ),
    (
        "iTP: Cluster, eTP: Local, with terminating endpoints",
        "eTP nodePort",
        None,
        MIXED,
        Some(&[0]),
        Some(&[2]),
        true,
    ),
    (
        "externalTrafficPolicy ignored if not externally accessible",
        "eTP",
        None,
        &["R0r", "L1r"],
        Some(&[0, 1]),
        None,
        true,
    ),
    (
        "no cluster endpoints for iTP:Local internal-only service",
        "iTP",
        None,
        &["R0r", "L1r"],
        None,
        Some(&[1]),
        true,
    ),
];

#[test]
fn test_categorize_endpoints_by_policy() {
    check(BY_POLICY);
}

#[test]
fn a_node_that_changes_its_zone_chooses_anew_and_only_what_has_hints_is_written() {
    let mut here = told("", Some("a"), &["R3r@a", "R4r@b"]);
    here.feed(vec![
        service(json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "plain"},
            "spec": {"clusterIP": "10.96.0.2", "ports": [{"port": 80}]},
        })),
        endpoint_slice(json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": "plain-1", "labels": {"kubernetes.io/service-name": "plain"}},
            "addressType": "IPv4", "ports": [{"port": 80}],
            "endpoints": [{"addresses": ["10.1.0.9"]}],
        })),
    ]);
    assert_eq!(members(&here, "cluster"), [3, 9]);
    for (zone, expected) in
        [(Some("b"), &[4, 9][..]), (Some("c"), &[3, 4, 9]), (Some("a"), &[3, 9])]
    {
        here.maps.inner().take_log();
        here.feed(vec![node(node_in(zone))]);
        assert_eq!(members(&here, "cluster"), expected, "{zone:?}");
        let log = here.maps.inner().take_log();
        assert!(log.iter().all(|line| !line.contains("10.96.0.2")), "{log:?}");
    }
}
