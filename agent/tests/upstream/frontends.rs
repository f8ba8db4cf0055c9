//! `TestOverallNFTablesRules` of `pkg/proxy/nftables/proxier_test.go`: Services of every kind beside
//! each other, each with its own ways in.

use super::rows::{Row, check_both, ingress, service, service_with, slice};

fn six() -> String {
    let local = "type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort: 30000, \
                 clusterIP: 172.30.0.42, externalIPs: [192.168.99.22], \
                 ports: [{name: p80, port: 80, nodePort: 3001}]";
    let cluster = "type: LoadBalancer, clusterIP: 172.30.0.45, sessionAffinity: ClientIP, \
                   sessionAffinityConfig: {clientIP: {timeoutSeconds: 10800}}, \
                   loadBalancerSourceRanges: [203.0.113.0/25], \
                   ports: [{name: p80, port: 80, nodePort: 3002}]";
    let node_port = "type: NodePort, clusterIP: 172.30.0.43, \
                     ports: [{name: p80, port: 80, nodePort: 3003}]";
    let external = "clusterIP: 172.30.0.44, externalIPs: [192.168.99.33], \
                    ports: [{name: p80, port: 80}]";
    let objects = [
        service("svc1", "clusterIP: 172.30.0.41, ports: [{name: p80, port: 80}]"),
        slice("svc1-1", "p80:80", "10.180.0.1"),
        service_with("svc2", local, &ingress(&["1.2.3.4"])),
        slice("svc2-1", "p80:80", "10.180.0.2"),
        service("svc3", node_port),
        slice("svc3-1", "p80:80", "10.180.0.3"),
        service("svc4", external),
        slice("svc4-1", "p80:80", "10.180.0.4 10.180.0.5"),
        service_with("svc5", cluster, &ingress(&["5.6.7.8"])),
        slice("svc5-1", "p80:80", "10.180.0.3"),
        service("svc6", "clusterIP: 172.30.0.46, ports: [{name: p80, port: 80}]"),
    ];
    objects.concat()
}

const OUTSIDE: &str = "203.0.113.2";
const BLOCKED: &str = "203.0.113.130";

const ROWS: &[Row] = &[
    ("svc1, cluster IP", "10.0.0.2", "172.30.0.41:80", "10.180.0.1:80"),
    ("svc2, cluster IP", "10.0.0.2", "172.30.0.42:80", "10.180.0.2:80"),
    ("svc2, external IP from outside", OUTSIDE, "192.168.99.22:80", "DROP"),
    ("svc2, load balancer from outside", OUTSIDE, "1.2.3.4:80", "DROP"),
    ("svc2, NodePort from outside", OUTSIDE, "192.168.0.2:3001", "DROP"),
    ("svc2, external IP from a pod", "10.0.0.2", "192.168.99.22:80", "10.180.0.2:80"),
    ("svc2, load balancer from a process", "192.168.0.2", "1.2.3.4:80", "10.180.0.2:80 as node"),
    ("svc3, NodePort", OUTSIDE, "192.168.0.2:3003", "10.180.0.3:80 as node"),
    ("svc4, external IP", OUTSIDE, "192.168.99.33:80", "10.180.0.4:80 10.180.0.5:80 as node"),
    ("svc5, NodePort", BLOCKED, "192.168.0.2:3002", "10.180.0.3:80 as node"),
    ("svc5, load balancer", OUTSIDE, "5.6.7.8:80", "10.180.0.3:80 as node"),
    ("svc5, load balancer, shut out", BLOCKED, "5.6.7.8:80", "DROP"),
    ("svc5, cluster IP, of no range", "10.0.0.2", "172.30.0.45:80", "10.180.0.3:80"),
    ("svc6, without endpoints", "10.0.0.2", "172.30.0.46:80", "REJECT"),
    ("nobody's NodePort", OUTSIDE, "192.168.0.2:3004", ""),
    ("the health check's port is no frontend", OUTSIDE, "192.168.0.2:30000", ""),
];

#[test]
fn test_overall_nftables_rules() {
    check_both("all six", &[six()], ROWS);
}
