//! Rows of `TestClusterIPGeneral`, `TestNoEndpointsReject` and `OnServiceCIDRsChanged` of
//! `pkg/proxy/nftables/proxier_test.go`.

use super::rows::{Row, check, check_both, ingress, service, service_with, slice};
use crate::support::cluster::Cluster;

/// A ServiceCIDR.
fn cidrs(name: &str, cidrs: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: ServiceCIDR\nmetadata: {{name: {name}}}\n\
         spec: {{cidrs: [{cidrs}]}}\n---\n"
    )
}

const GENERAL: &[Row] = &[
    ("simple clusterIP", "10.180.0.2", "172.30.0.41:80", "10.180.0.1:80"),
    // kube-proxy shows such a pod the node's address.
    ("hairpin to cluster IP", "10.180.0.1", "172.30.0.41:80", "10.180.0.1:80 as stand-in"),
    (
        "clusterIP with multiple endpoints",
        "10.180.0.2",
        "172.30.0.42:80",
        "10.180.0.1:80 10.180.2.1:80",
    ),
    (
        "clusterIP with renumbered endpoint",
        "10.180.0.2",
        "172.30.0.42:443",
        "10.180.0.1:8443 10.180.2.1:8443",
    ),
    ("clusterIP with TCP DNS", "10.180.0.2", "172.30.0.42:53", "10.180.0.1:5353 10.180.2.1:5353"),
    ("clusterIP with UDP DNS", "10.180.0.2", "172.30.0.42:53/UDP", "10.180.0.1:53 10.180.2.1:53"),
    ("clusterIP with SCTP DNS", "10.180.0.2", "172.30.0.42:53/SCTP", "10.180.0.1:53 10.180.2.1:53"),
    ("protocol mismatch", "10.180.0.2", "172.30.0.42:80/UDP", "REJECT"),
    ("port of another Service", "10.180.0.2", "172.30.0.41:443", "REJECT"),
    ("unallocated clusterIP", "10.180.0.2", "172.30.0.50:80", "DROP"),
    ("not a clusterIP", "10.180.0.2", "10.180.2.9:80", ""),
    (
        "a process, multiple endpoints",
        "192.168.0.2",
        "172.30.0.42:80",
        "10.180.0.1:80 10.180.2.1:80 as node",
    ),
    ("a process, protocol mismatch", "192.168.0.2", "172.30.0.42:80/UDP", "REJECT"),
    ("a process, unallocated clusterIP", "192.168.0.2", "172.30.0.50:80", "DROP"),
];

const GENERAL_V6: &[Row] = &[
    ("simple clusterIP", "fd00:10::9", "[fd00:172:30::41]:80", "[fd00:10::1]:80"),
    ("hairpin to cluster IP", "fd00:10::1", "[fd00:172:30::41]:80", "[fd00:10::1]:80 as stand-in"),
    ("protocol mismatch", "fd00:10::9", "[fd00:172:30::41]:80/UDP", "REJECT"),
    ("unallocated clusterIP", "fd00:10::9", "[fd00:172:30::50]:80", "DROP"),
];

#[test]
fn test_cluster_ip_general() {
    let dns = "{name: p53, port: 53, protocol: UDP}, {name: p53tcp, port: 53}, \
               {name: p53sctp, port: 53, protocol: SCTP}";
    for mut cluster in Cluster::both() {
        cluster.write("cidrs", &cidrs("kubernetes", "172.30.0.0/16, 'fd00:172:30::/112'"));
        let objects = [
            service(
                "svc1",
                "clusterIPs: [172.30.0.41, 'fd00:172:30::41'], ports: [{name: p80, port: 80}]",
            ),
            slice("svc1-1", "p80:80", "10.180.0.1@L"),
            slice("svc1-2", "p80:80", "fd00:10::1@L"),
            service(
                "svc2",
                &format!(
                    "clusterIP: 172.30.0.42, ports: [{{name: p80, port: 80}}, \
                     {{name: p443, port: 443}}, {dns}]"
                ),
            ),
            slice(
                "svc2-1",
                "p80:80 p443:8443 p53:53/UDP p53tcp:5353 p53sctp:53/SCTP",
                "10.180.0.1@L 10.180.2.1@R",
            ),
        ];
        cluster.write("services", &objects.concat());
        check("IPv4", &cluster, GENERAL);
        check("IPv6", &cluster, GENERAL_V6);
    }
}

const NOBODY: &[Row] = &[
    ("pod to cluster IP with no endpoints", "10.0.0.2", "172.30.0.41:80", "REJECT"),
    ("external to external IP with no endpoints", "203.0.113.2", "192.168.99.11:80", "REJECT"),
    ("pod to NodePort with no endpoints", "10.0.0.2", "192.168.0.2:3001", "REJECT"),
    ("external to NodePort with no endpoints", "203.0.113.2", "192.168.0.2:3001", "REJECT"),
    ("pod to LoadBalancer IP with no endpoints", "10.0.0.2", "1.2.3.4:80", "REJECT"),
    ("external to LoadBalancer IP with no endpoints", "203.0.113.2", "1.2.3.4:80", "REJECT"),
    ("a process to cluster IP with no endpoints", "192.168.0.2", "172.30.0.41:80", "REJECT"),
    ("a process to NodePort with no endpoints", "192.168.0.2", "192.168.0.2:3001", "REJECT"),
];

const NOBODY_V6: &[Row] = &[
    ("pod to cluster IP with no endpoints", "fd00:10::9", "[fd00:172:30::41]:80", "REJECT"),
    ("external to NodePort with no endpoints", "2600:5200::1", "[2001:db8::1]:3001", "REJECT"),
    (
        "external to LoadBalancer IP with no endpoints",
        "2600:5200::1",
        "[2001:db8:99::1]:80",
        "REJECT",
    ),
];

#[test]
fn test_no_endpoints_reject() {
    let spec = "type: LoadBalancer, clusterIPs: [172.30.0.41, 'fd00:172:30::41'], \
                externalIPs: [192.168.99.11], ports: [{name: p80, port: 80, nodePort: 3001}]";
    let objects = [service_with("svc1", spec, &ingress(&["1.2.3.4", "2001:db8:99::1"]))];
    check_both("IPv4", &objects, NOBODY);
    check_both("IPv6", &objects, NOBODY_V6);
}

/// What becomes of packets to an address of each of three networks of which no Service has any.
fn of_networks(cluster: &Cluster) -> [String; 3] {
    [
        ("10.180.0.2", "172.30.7.7:80"),
        ("10.180.0.2", "172.50.7.7:80"),
        ("fd00:10::9", "[fd00:172:30::77]:80"),
    ]
    .map(|(from, to)| cluster.send(from, to))
}

#[test]
fn test_on_service_cidrs_changed() {
    let [mut cluster, _] = Cluster::both();
    assert_eq!(of_networks(&cluster), ["", "", ""], "unknown");
    for (networks, expected) in [
        ("172.30.0.0/16", ["DROP", "", ""]),
        ("172.30.0.0/16, 'fd00:172:30::/112'", ["DROP", "", "DROP"]),
        ("'fd00:172:30::/112'", ["", "", "DROP"]),
    ] {
        cluster.write("cidrs", &cidrs("kubernetes", networks));
        assert_eq!(of_networks(&cluster), expected, "{networks}");
    }
    cluster.write("more", &cidrs("more", "172.50.0.0/16"));
    assert_eq!(of_networks(&cluster), ["", "DROP", "DROP"], "two objects");
    cluster.remove("cidrs");
    assert_eq!(of_networks(&cluster), ["", "DROP", ""], "one of them gone");
}
