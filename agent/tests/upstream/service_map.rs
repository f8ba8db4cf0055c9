//! `TestServiceToServiceMap` and `TestBuildServiceMap…` of `pkg/proxy/servicechangetracker_test.go`
//! and of the proxiers: which addresses lead to which ports, in which family.

use waggle_agent::k8s::{Change, Kind, ObjectRef, Resource};
use waggle_agent::model::Name;

use super::apply;
use crate::support::node::Node;
use crate::support::watched::WatchedMaps;

/// A case: its name; the Service's spec and status; each ServicePort with what leads to it.
type Case = (&'static str, &'static str, &'static [&'static str]);

fn service_of(name: &str, body: &str) -> Change {
    let yaml = format!("{{metadata: {{name: {name}, namespace: ns2}}, {body}}}");
    apply(Resource::Service(serde_saphyr::from_str(&yaml).unwrap()))
}

/// `p1 IPv4 10.0.0.1:80/TCP ...` for each ServicePort and family.
fn served(node: &Node) -> Vec<String> {
    let rows = node.engine.services().into_iter().map(|row| {
        let mut addresses: Vec<_> = row.frontends.into_iter().map(|it| it.address).collect();
        addresses.sort_unstable();
        format!("{} {} {}", row.port, row.family, addresses.join(" "))
    });
    rows.collect()
}

const WITH_VIP: &[&str] = &[
    "port3 IPv4 0.0.0.0:30061/UDP 10.1.2.4:8675/UDP 172.16.55.11:8675/UDP",
    "port4 IPv4 0.0.0.0:30062/UDP 10.1.2.4:8676/UDP 172.16.55.11:8676/UDP",
];
const V4: &[&str] = &["testPort IPv4 10.0.0.1:12345/TCP 8.8.8.8:12345/TCP"];
const V6: &[&str] = &["testPort IPv6 [2001:db8::7334]:12345/TCP [2001:db8::7335]:12345/TCP"];

const CASES: &[Case] = &[
    (
        "headless service",
        "spec: {clusterIP: None, ports: [{name: rpc, protocol: UDP, port: 1234}]}",
        &[],
    ),
    (
        "headless sctp service",
        "spec: {clusterIP: None, ports: [{name: sip, protocol: SCTP, port: 7777}]}",
        &[],
    ),
    ("headless service without port", "spec: {clusterIP: None}", &[]),
    (
        "cluster ip service",
        "spec: {clusterIP: 172.16.55.4, ports: [{name: p1, protocol: UDP, port: 1234}, \
         {name: p2, protocol: UDP, port: 1235}]}",
        &["p1 IPv4 172.16.55.4:1234/UDP", "p2 IPv4 172.16.55.4:1235/UDP"],
    ),
    (
        "nodeport service",
        "spec: {type: NodePort, clusterIP: 172.16.55.10, ports: \
         [{name: port1, protocol: UDP, port: 345, nodePort: 678}, \
         {name: port2, protocol: TCP, port: 344, nodePort: 677}]}",
        &[
            "port1 IPv4 0.0.0.0:678/UDP 172.16.55.10:345/UDP",
            "port2 IPv4 0.0.0.0:677/TCP 172.16.55.10:344/TCP",
        ],
    ),
    (
        "load balancer service",
        "spec: {type: LoadBalancer, clusterIP: 172.16.55.11, loadBalancerIP: 5.6.7.8, ports: \
         [{name: port3, protocol: UDP, port: 8675, nodePort: 30061}, \
         {name: port4, protocol: UDP, port: 8676, nodePort: 30062}]}, \
         status: {loadBalancer: {ingress: [{ip: 10.1.2.4}]}}",
        WITH_VIP,
    ),
    (
        "load balancer service ipMode VIP",
        "spec: {type: LoadBalancer, clusterIP: 172.16.55.11, ports: \
         [{name: port3, protocol: UDP, port: 8675, nodePort: 30061}, \
         {name: port4, protocol: UDP, port: 8676, nodePort: 30062}]}, \
         status: {loadBalancer: {ingress: [{ip: 10.1.2.4, ipMode: VIP}]}}",
        WITH_VIP,
    ),
    (
        "load balancer service ipMode Proxy",
        "spec: {type: LoadBalancer, clusterIP: 172.16.55.11, ports: \
         [{name: port3, protocol: UDP, port: 8675, nodePort: 30061}]}, \
         status: {loadBalancer: {ingress: [{ip: 10.1.2.4, ipMode: Proxy}]}}",
        &["port3 IPv4 0.0.0.0:30061/UDP 172.16.55.11:8675/UDP"],
    ),
    (
        "load balancer service with only local traffic policy",
        "spec: {type: LoadBalancer, clusterIP: 172.16.55.12, externalTrafficPolicy: Local, \
         healthCheckNodePort: 345, ports: \
         [{name: portx, protocol: UDP, port: 8677, nodePort: 30063}]}, \
         status: {loadBalancer: {ingress: [{ip: 10.1.2.3}]}}",
        &["portx IPv4 0.0.0.0:30063/UDP 10.1.2.3:8677/UDP 172.16.55.12:8677/UDP"],
    ),
    (
        "external name service",
        "spec: {type: ExternalName, clusterIP: 172.16.55.4, externalName: foo2.bar.com, \
         ports: [{name: portz, protocol: UDP, port: 1235}]}",
        &[],
    ),
    (
        "service with ipv4 configurations under ipv4 mode",
        "spec: {clusterIP: 10.0.0.1, externalIPs: [8.8.8.8], \
         ports: [{name: testPort, port: 12345}]}, \
         status: {loadBalancer: {ingress: [{ip: 8.8.8.8}, {ip: '2001:db8::7335'}]}}",
        V4,
    ),
    (
        "service with ipv6 configurations under ipv6 mode",
        "spec: {clusterIP: '2001:db8::7334', externalIPs: ['2001:db8::7335'], \
         ports: [{name: testPort, port: 12345}]}, \
         status: {loadBalancer: {ingress: [{ip: 8.8.8.8}, {ip: '2001:db8::7335'}]}}",
        V6,
    ),
    (
        "service with both ipv4 and ipv6 configurations under ipv4 mode, ipv6 fields should be \
         filtered",
        "spec: {clusterIP: 10.0.0.1, externalIPs: [8.8.8.8, '2001:db8::7335'], \
         ports: [{name: testPort, port: 12345}]}",
        V4,
    ),
    (
        "service with both ipv4 and ipv6 configurations under ipv6 mode, ipv4 fields should be \
         filtered",
        "spec: {clusterIP: '2001:db8::7334', externalIPs: [8.8.8.8, '2001:db8::7335'], \
         ports: [{name: testPort, port: 12345}]}",
        V6,
    ),
];

#[test]
fn test_service_to_service_map() {
    for (name, body, expected) in CASES {
        let mut node = Node::new(WatchedMaps::default());
        node.feed(vec![service_of("web", body)]);
        assert_eq!(served(&node), *expected, "{name}");
    }
}

/// The Services of `TestBuildServiceMapAddRemove`.
const FOUR: [(&str, &str); 4] = [
    (
        "cluster-ip",
        "spec: {clusterIP: 172.30.55.4, ports: [{name: something, protocol: UDP, port: 1234}, \
         {name: somethingelse, protocol: UDP, port: 1235}]}",
    ),
    (
        "node-port",
        "spec: {type: NodePort, clusterIP: 172.30.55.10, ports: \
         [{name: blahblah, protocol: UDP, port: 345, nodePort: 678}, \
         {name: moreblahblah, port: 344, nodePort: 677}]}",
    ),
    (
        "load-balancer",
        "spec: {type: LoadBalancer, clusterIP: 172.30.55.11, ports: \
         [{name: foobar, protocol: UDP, port: 8675, nodePort: 30061}, \
         {name: baz, protocol: UDP, port: 8676, nodePort: 30062}]}, \
         status: {loadBalancer: {ingress: [{ip: 1.2.3.4}]}}",
    ),
    (
        "only-local-load-balancer",
        "spec: {type: LoadBalancer, clusterIP: 172.30.55.12, externalTrafficPolicy: Local, \
         healthCheckNodePort: 345, ports: \
         [{name: foobar2, protocol: UDP, port: 8677, nodePort: 30063}, \
         {name: baz, protocol: UDP, port: 8678, nodePort: 30064}]}, \
         status: {loadBalancer: {ingress: [{ip: 5.6.7.8}]}}",
    ),
];

#[test]
fn test_build_service_map_add_remove() {
    let mut node = Node::new(WatchedMaps::default());
    node.feed(FOUR.map(|(name, body)| service_of(name, body)).to_vec());
    assert_eq!(served(&node).len(), 8);
    let gone = FOUR[1..].iter().map(|(name, _)| {
        Change::Delete(ObjectRef { kind: Kind::Service, name: Name::new("ns2", *name) })
    });
    let kept = "spec: {clusterIP: 172.30.55.4, ports: \
                [{name: somethingelse, protocol: UDP, port: 1235}]}";
    node.feed([service_of("cluster-ip", kept)].into_iter().chain(gone).collect());
    assert_eq!(served(&node), ["somethingelse IPv4 172.30.55.4:1235/UDP"]);
}

#[test]
fn test_build_service_map_service_update() {
    let inside = "spec: {clusterIP: 172.30.55.4, ports: [{name: p1, protocol: UDP, port: 1234}, \
                  {name: p2, port: 1235}]}";
    let outside = "spec: {type: LoadBalancer, clusterIP: 172.30.55.4, \
                   externalTrafficPolicy: Local, ports: \
                   [{name: p1, protocol: UDP, port: 1234, nodePort: 4321}, \
                   {name: p2, port: 1235, nodePort: 5321}]}, \
                   status: {loadBalancer: {ingress: [{ip: 1.2.3.4}]}}";
    let few = ["p1 IPv4 172.30.55.4:1234/UDP", "p2 IPv4 172.30.55.4:1235/TCP"];
    let many = [
        "p1 IPv4 0.0.0.0:4321/UDP 1.2.3.4:1234/UDP 172.30.55.4:1234/UDP",
        "p2 IPv4 0.0.0.0:5321/TCP 1.2.3.4:1235/TCP 172.30.55.4:1235/TCP",
    ];
    let mut node = Node::new(WatchedMaps::default());
    for (body, expected, is_written) in
        [(inside, few, true), (outside, many, true), (outside, many, false), (inside, few, true)]
    {
        node.feed(vec![service_of("web", body)]);
        assert_eq!(served(&node), expected);
        assert_eq!(node.report.writes > 0, is_written, "{expected:?}");
    }
}
