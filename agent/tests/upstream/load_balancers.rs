//! Rows of `TestLoadBalancer`, `TestLoadBalancerIngressRouteTypeProxy` and `TestBadIPs` of
//! `pkg/proxy/nftables/proxier_test.go`.

use super::rows::{Row, check, check_both, ingress, service_with, slice};
use crate::support::cluster::Cluster;

const RANGES: &[Row] = &[
    ("pod to cluster IP", "10.0.0.2", "172.30.0.41:80", "10.180.0.1:80"),
    ("external to nodePort", "203.0.113.2", "192.168.0.2:3001", "10.180.0.1:80 as node"),
    (
        "nodePort bypasses loadBalancerSourceRanges",
        "203.0.113.130",
        "192.168.0.2:3001",
        "10.180.0.1:80 as node",
    ),
    ("accepted external to LB1", "203.0.113.2", "1.2.3.4:80", "10.180.0.1:80 as node"),
    ("accepted external to LB2", "203.0.113.2", "5.6.7.8:80", "10.180.0.1:80 as node"),
    ("blocked external to LB1", "203.0.113.130", "1.2.3.4:80", "DROP"),
    ("blocked external to LB2", "203.0.113.130", "5.6.7.8:80", "DROP"),
    ("pod to LB1 (blocked by loadBalancerSourceRanges)", "10.0.0.2", "1.2.3.4:80", "DROP"),
    ("pod to LB2 (blocked by loadBalancerSourceRanges)", "10.0.0.2", "5.6.7.8:80", "DROP"),
    ("node to LB1", "192.168.0.2", "1.2.3.4:80", "10.180.0.1:80 as node"),
    ("node to LB2", "192.168.0.2", "5.6.7.8:80", "10.180.0.1:80 as node"),
];

/// As above, where the node's devices hold the addresses, so that the node's packets come from them.
const LOOPED: &[Row] = &[
    (
        "same node to LB1, with loadBalancer IP as source",
        "1.2.3.4",
        "1.2.3.4:80",
        "10.180.0.1:80 as node",
    ),
    (
        "same node to LB2, with loadBalancer IP as source",
        "5.6.7.8",
        "5.6.7.8:80",
        "10.180.0.1:80 as node",
    ),
    ("accepted external to LB1", "203.0.113.2", "1.2.3.4:80", "10.180.0.1:80 as node"),
    ("blocked external to LB1", "203.0.113.130", "1.2.3.4:80", "DROP"),
];

const SPEC: &str = "type: LoadBalancer, clusterIP: 172.30.0.41, \
                    ports: [{name: p80, port: 80, nodePort: 3001}]";

fn ranges(of: &str) -> String {
    let spec = format!("{SPEC}, loadBalancerSourceRanges: [{of}]");
    service_with("svc1", &spec, &ingress(&["1.2.3.4", "5.6.7.8"]))
}

#[test]
fn test_load_balancer() {
    let slice = slice("svc1-1", "p80:80", "10.180.0.1");
    let open = ranges("192.168.0.0/24, ' 203.0.113.0/25'");
    for mut cluster in Cluster::both_with(&[("slice", &slice), ("svc1", &open)]) {
        check("as ranges say", &cluster, RANGES);
        for ip in ["1.2.3.4", "5.6.7.8"] {
            cluster.hold(ip);
        }
        check("held", &cluster, LOOPED);
        cluster.write("svc1", &ranges("203.0.113.0/25"));
        assert_eq!(cluster.send("1.2.3.4", "1.2.3.4:80"), "REJECT", "ranges without the node");
        cluster.write("svc1", &ranges("'2001:db8::/32'"));
        let open = cluster.send("203.0.113.130", "1.2.3.4:80");
        assert_eq!(open, "10.180.0.1:80 as node", "ranges of the other family alone");
    }
}

#[test]
fn test_load_balancer_ingress_route_type_proxy() {
    for (name, entry, expected) in [
        ("ipMode Proxy", "{ip: 1.2.3.4, ipMode: Proxy}", ""),
        ("ipMode VIP", "{ip: 1.2.3.4, ipMode: VIP}", "10.180.0.1:80 as node"),
        ("ipMode nil", "{ip: 1.2.3.4}", "10.180.0.1:80 as node"),
    ] {
        let status = format!("{{loadBalancer: {{ingress: [{entry}]}}}}");
        let spec = format!("{SPEC}, loadBalancerSourceRanges: [203.0.113.0/25]");
        let objects =
            [slice("svc1-1", "p80:80", "10.180.0.1"), service_with("svc1", &spec, &status)];
        let [cluster, _] = Cluster::both_with(&[("svc1", &objects.concat())]);
        assert_eq!(cluster.send("203.0.113.2", "1.2.3.4:80"), expected, "{name}");
        let shut_out = if expected.is_empty() { "" } else { "DROP" };
        assert_eq!(cluster.send("203.0.113.130", "1.2.3.4:80"), shut_out, "{name}");
    }
}

const BAD: &[Row] = &[
    ("clusterIP", "10.0.0.2", "172.30.0.41:80", "10.180.0.1:80"),
    ("external IP", "203.0.113.2", "192.168.99.22:80", "10.180.0.1:80 as node"),
    ("load balancer", "203.0.113.2", "1.2.3.4:80", "10.180.0.1:80 as node"),
    ("shut out of load balancer", "203.0.113.130", "1.2.3.4:80", "DROP"),
    ("nodePort", "203.0.113.2", "192.168.0.2:3001", "10.180.0.1:80 as node"),
];

/// Addresses as no object may have them any more, but for those that are older.
#[test]
fn test_bad_ips() {
    let spec = "type: LoadBalancer, clusterIP: 172.30.0.041, externalIPs: [192.168.099.022], \
                loadBalancerSourceRanges: [203.000.113.000/25], \
                ports: [{name: p80, port: 80, nodePort: 3001}]";
    let slice = slice("svc1-1", "p80:80", "10.180.00.001");
    let service = service_with("svc1", spec, &ingress(&["1.2.3.004"]));
    check_both("leading zeros", &[slice, service], BAD);
}
