//! Rows of `TestExternalTrafficPolicyLocal`, `TestExternalTrafficPolicyCluster`,
//! `TestInternalTrafficPolicy`, `TestTerminatingEndpointsTrafficPolicyLocal` and
//! `TestTerminatingEndpointsTrafficPolicyCluster` of `pkg/proxy/nftables/proxier_test.go`.

use super::rows::{Row, check_both, ingress, service, service_with, slice};
use crate::support::cluster::Cluster;

const BOTH: &str = "10.180.0.1:80 10.180.2.1:80";
const BOTH_AS_NODE: &str = "10.180.0.1:80 10.180.2.1:80 as node";
const HERE: &str = "10.180.2.1:80";

const EXTERNAL_LOCAL: &[Row] = &[
    ("pod to cluster IP hits both endpoints, unmasqueraded", "10.0.0.2", "172.30.0.41:80", BOTH),
    ("pod to external IP hits both endpoints, unmasqueraded", "10.0.0.2", "192.168.99.11:80", BOTH),
    ("external to external IP hits only local endpoint", "203.0.113.2", "192.168.99.11:80", HERE),
    ("pod to LB IP hits both endpoints, unmasqueraded", "10.0.0.2", "1.2.3.4:80", BOTH),
    ("external to LB IP hits only local endpoint", "203.0.113.2", "1.2.3.4:80", HERE),
    ("pod to NodePort hits both endpoints, unmasqueraded", "10.0.0.2", "192.168.0.2:3001", BOTH),
    ("external to NodePort hits only local endpoint", "203.0.113.2", "192.168.0.2:3001", HERE),
];

const EXTERNAL_CLUSTER: &[Row] = &[
    ("pod to cluster IP hits both endpoints, unmasqueraded", "10.0.0.2", "172.30.0.41:80", BOTH),
    ("pod to external IP hits both endpoints", "10.0.0.2", "192.168.99.11:80", BOTH_AS_NODE),
    (
        "external to external IP hits both endpoints",
        "203.0.113.2",
        "192.168.99.11:80",
        BOTH_AS_NODE,
    ),
    ("pod to LB IP hits both endpoints", "10.0.0.2", "1.2.3.4:80", BOTH_AS_NODE),
    ("external to LB IP hits both endpoints", "203.0.113.2", "1.2.3.4:80", BOTH_AS_NODE),
    ("pod to NodePort hits both endpoints", "10.0.0.2", "192.168.0.2:3001", BOTH_AS_NODE),
    ("external to NodePort hits both endpoints", "203.0.113.2", "192.168.0.2:3001", BOTH_AS_NODE),
];

fn check_external(policy: &str, rows: &[Row]) {
    let spec = format!(
        "type: LoadBalancer, externalTrafficPolicy: {policy}, clusterIP: 172.30.0.41, \
         externalIPs: [192.168.99.11], ports: [{{name: p80, port: 80, nodePort: 3001}}]"
    );
    // No node is known of the first.
    let endpoints = slice("svc1-1", "p80:80", "10.180.0.1 10.180.2.1@L");
    let objects = [service_with("svc1", &spec, &ingress(&["1.2.3.4"])), endpoints];
    check_both(policy, &objects, rows);
}

#[test]
fn test_external_traffic_policy_local() {
    check_external("Local", EXTERNAL_LOCAL);
}

#[test]
fn test_external_traffic_policy_cluster() {
    check_external("Cluster", EXTERNAL_CLUSTER);
}

/// A case: its name; the policy; the endpoints; and what a pod meets.
type Internal = (&'static str, &'static str, &'static str, &'static str);

const INTERNAL: &[Internal] = &[
    (
        "internalTrafficPolicy is cluster",
        "Cluster",
        "10.0.1.1@L 10.0.1.2@R 10.0.1.3@R",
        "10.0.1.1:80 10.0.1.2:80 10.0.1.3:80",
    ),
    (
        "internalTrafficPolicy is local and there is one local endpoint",
        "Local",
        "10.0.1.1@L 10.0.1.2@R 10.0.1.3@R",
        "10.0.1.1:80",
    ),
    (
        "internalTrafficPolicy is local and there are multiple local endpoints",
        "Local",
        "10.0.1.1@L 10.0.1.2@L 10.0.1.3@R",
        "10.0.1.1:80 10.0.1.2:80",
    ),
    (
        "internalTrafficPolicy is local and there are no local endpoints",
        "Local",
        "10.0.1.1@R 10.0.1.2@R 10.0.1.3@R",
        "DROP",
    ),
];

#[test]
fn test_internal_traffic_policy() {
    let to = "172.30.1.1:80";
    for (name, policy, endpoints, expected) in INTERNAL {
        let port = "ports: [{name: p, port: 80}]";
        let spec = format!("internalTrafficPolicy: {policy}, clusterIP: 172.30.1.1, {port}");
        let (service, slice) = (service("svc1", &spec), slice("svc1-1", "p:80", endpoints));
        for mut cluster in Cluster::both_with(&[("svc1", &service), ("slice", &slice)]) {
            assert_eq!(cluster.send("10.0.0.2", to), *expected, "{name}");
            let process = cluster.send("192.168.0.2", to);
            assert_eq!(process.trim_end_matches(" as node"), *expected, "{name}: process");
            cluster.remove("slice");
            assert_eq!(cluster.send("10.0.0.2", to), "REJECT", "{name}: slice deleted");
        }
    }
}

/// A case: its name; the endpoints; what a pod meets at the cluster IP, and somebody outside at the
/// load balancer's address.
type Case = (&'static str, &'static str, &'static str, &'static str);

fn check_terminating(policy: &str, cases: &[Case]) {
    let spec = format!(
        "type: LoadBalancer, externalTrafficPolicy: {policy}, clusterIP: 172.30.1.1, \
         ports: [{{name: p, port: 80}}]"
    );
    for (name, endpoints, of_pod, of_outside) in cases {
        let service = service_with("svc1", &spec, &ingress(&["1.2.3.4"]));
        let slice = slice("svc1-1", "p:80", endpoints);
        for mut cluster in Cluster::both_with(&[("svc1", &service), ("slice", &slice)]) {
            let met = |cluster: &Cluster| {
                [("10.0.0.2", "172.30.1.1:80"), ("203.0.113.2", "1.2.3.4:80")]
                    .map(|(from, to)| cluster.send(from, to))
            };
            assert_eq!(met(&cluster), [*of_pod, *of_outside], "{name}");
            cluster.remove("slice");
            assert_eq!(met(&cluster), ["REJECT"; 2], "{name}: slice deleted");
        }
    }
}

const READY: &str = "10.0.1.1@L 10.0.1.2@L 10.0.1.3@Lst 10.0.1.4@Lt 10.0.1.5@R";

#[test]
fn test_terminating_endpoints_traffic_policy_local() {
    check_terminating(
        "Local",
        &[
            (
                "ready endpoints exist",
                READY,
                "10.0.1.1:80 10.0.1.2:80 10.0.1.5:80",
                "10.0.1.1:80 10.0.1.2:80",
            ),
            (
                "only terminating endpoints exist here",
                "10.0.1.2@Lst 10.0.1.3@Lst 10.0.1.4@Lt 10.0.1.5@R",
                "10.0.1.5:80",
                "10.0.1.2:80 10.0.1.3:80",
            ),
            ("only terminating endpoints, elsewhere", "10.0.1.5@Rst", "10.0.1.5:80", "DROP"),
            (
                "all terminating endpoints are not serving",
                "10.0.1.4@Lt 10.0.1.5@Rt",
                "REJECT",
                "REJECT",
            ),
        ],
    );
}

#[test]
fn test_terminating_endpoints_traffic_policy_cluster() {
    check_terminating(
        "Cluster",
        &[
            (
                "ready endpoints exist",
                READY,
                "10.0.1.1:80 10.0.1.2:80 10.0.1.5:80",
                "10.0.1.1:80 10.0.1.2:80 10.0.1.5:80 as node",
            ),
            (
                "only terminating endpoints exist",
                "10.0.1.2@Lst 10.0.1.3@Lst 10.0.1.4@Rt 10.0.1.5@Rst",
                "10.0.1.2:80 10.0.1.3:80 10.0.1.5:80",
                "10.0.1.2:80 10.0.1.3:80 10.0.1.5:80 as node",
            ),
            (
                "only terminating endpoints, elsewhere",
                "10.0.1.5@Rst",
                "10.0.1.5:80",
                "10.0.1.5:80 as node",
            ),
            (
                "all terminating endpoints are not serving",
                "10.0.1.4@Lt 10.0.1.5@Rt",
                "REJECT",
                "REJECT",
            ),
        ],
    );
}
