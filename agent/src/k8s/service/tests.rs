//! Services as YAML, and what is read of them.

use std::net::IpAddr;

use super::*;
use crate::model::Protocol;

/// What is read, and the messages about it.
type Read = (Option<ServiceSpec>, Vec<String>);

fn read(yaml: &str) -> Read {
    let service: Service = serde_saphyr::from_str(yaml).unwrap();
    let reading = from_resource(Name::new("default", "web"), &service);
    (reading.spec, reading.problems.into_iter().map(|problem| problem.message).collect())
}

/// A Service of which these fields of its spec are given.
fn read_spec(spec: &str) -> Read {
    read(&format!("{{apiVersion: v1, kind: Service, metadata: {{name: web}}, spec: {{{spec}}}}}"))
}

/// A Service with a cluster IP and a port of which these fields are given besides.
fn read_with(spec: &str) -> Read {
    read_spec(&format!("clusterIP: 10.96.0.1, ports: [{{port: 80}}], {spec}"))
}

fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|ip| ip.parse().unwrap()).collect()
}

fn web(cluster_ips: &[&str], ports: &[(&str, Protocol, u16)]) -> ServiceSpec {
    let port_spec = |(name, protocol, port): &(&str, Protocol, u16)| {
        let (name, protocol, port) = ((*name).to_owned(), *protocol, *port);
        PortSpec { name, protocol, port, node_port: None }
    };
    ServiceSpec {
        name: Name::new("default", "web"),
        created: None,
        kind: ServiceKind::ClusterIp,
        ports: ports.iter().map(port_spec).collect(),
        cluster_ips: ips(cluster_ips),
        load_balancer_ips: vec![],
        source_ranges: vec![],
        external_ips: vec![],
        internal_local: false,
        external_local: false,
        affinity_seconds: None,
        health_check_port: None,
    }
}

/// Of one cluster IP and one port.
fn plain() -> ServiceSpec {
    web(&["10.96.0.1"], &[("", Protocol::Tcp, 80)])
}

fn of_kind(kind: ServiceKind, node_port: Option<u16>) -> ServiceSpec {
    let mut spec = ServiceSpec { kind, ..plain() };
    spec.ports[0].node_port = node_port;
    spec
}

fn assert_says(found: &Read, expected: Option<&ServiceSpec>, message: &str) {
    assert_eq!(found.0.as_ref(), expected, "{message}");
    assert!(matches!(&found.1[..], [only] if only.contains(message)), "{message}: {:?}", found.1);
}

#[test]
fn cluster_ips_and_ports_are_kept() {
    let two = &[("a", Protocol::Udp, 53), ("b", Protocol::Tcp, 53)];
    for (spec, expected) in [
        ("clusterIP: 10.96.0.1, ports: [{port: 80, targetPort: x}]", plain()),
        ("clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1], ports: [{port: 80}]", plain()),
        (
            "clusterIPs: [10.96.0.041, 'fd00::1'], ports: [{name: a, port: 53, protocol: UDP}, \
             {name: b, port: 53}]",
            web(&["10.96.0.41", "fd00::1"], two),
        ),
        (
            "type: NodePort, clusterIP: 10.96.0.1, ports: [{port: 80, nodePort: 30080}]",
            of_kind(ServiceKind::NodePort, Some(30_080)),
        ),
        (
            "type: LoadBalancer, clusterIP: 10.96.0.1, allocateLoadBalancerNodePorts: false, \
             loadBalancerIP: 192.0.2.1, ports: [{port: 80, nodePort: 0}]",
            of_kind(ServiceKind::LoadBalancer, None),
        ),
    ] {
        assert_eq!(read_spec(spec), (Some(expected), vec![]), "{spec}");
    }
}

#[test]
fn policies_affinity_and_external_addresses_are_kept() {
    for (spec, expected) in [
        ("internalTrafficPolicy: Cluster, externalTrafficPolicy: Cluster", plain()),
        ("internalTrafficPolicy: Local", ServiceSpec { internal_local: true, ..plain() }),
        ("externalTrafficPolicy: Local", ServiceSpec { external_local: true, ..plain() }),
        ("sessionAffinity: None", plain()),
        ("sessionAffinity: ClientIP", ServiceSpec { affinity_seconds: Some(10_800), ..plain() }),
        (
            "sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 60}}",
            ServiceSpec { affinity_seconds: Some(60), ..plain() },
        ),
        (
            "externalIPs: [192.0.2.010, '2001:db8::1', 192.0.2.10, 10.96.0.1]",
            ServiceSpec { external_ips: ips(&["192.0.2.10"]), ..plain() },
        ),
    ] {
        assert_eq!(read_with(spec), (Some(expected), vec![]), "{spec}");
    }
}

#[test]
fn a_load_balancers_addresses_are_served_where_packets_arrive_as_they_were_sent() {
    for (ingress, expected, message) in [
        ("[{ip: 192.0.2.1}, {ip: 192.0.2.2, ipMode: VIP}]", &["192.0.2.1", "192.0.2.2"][..], None),
        ("[{ip: 192.0.2.1, ipMode: Proxy}, {hostname: lb.example.org}, {ip: ''}]", &[], None),
        ("[{ip: '2001:db8::1'}, {ip: 192.0.2.001}]", &["192.0.2.1"], None),
        ("[{ip: 192.0.2.1}, {ip: 192.0.2.1}, {ip: 10.96.0.1}]", &["192.0.2.1"], None),
        ("[{ip: 192.0.2.1, ipMode: Vip}]", &[], Some("192.0.2.1 of ipMode \"Vip\", which is not")),
        ("[{ip: nonsense}, {ip: 192.0.2.1}]", &["192.0.2.1"], Some("\"nonsense\", which is no IP")),
        ("[{ip: 127.0.0.1}, {ip: 192.0.2.1}]", &["192.0.2.1"], Some("127.0.0.1, which cannot")),
    ] {
        let found = read(&format!(
            "{{apiVersion: v1, kind: Service, metadata: {{name: web}}, spec: {{clusterIP: \
             10.96.0.1, ports: [{{port: 80}}]}}, status: {{loadBalancer: {{ingress: {ingress}}}}}}}"
        ));
        let spec = ServiceSpec { load_balancer_ips: ips(expected), ..plain() };
        match message {
            None => assert_eq!(found, (Some(spec), vec![]), "{ingress}"),
            Some(message) => assert_says(&found, Some(&spec), message),
        }
    }
}

#[test]
fn source_ranges_are_read_and_without_any_that_can_be_nobody_is_let_in() {
    for (ranges, expected, is_served, message) in [
        ("", &[][..], true, None),
        ("192.0.2.0/24, ' 203.0.113.130/25 '", &["192.0.2.0/24", "203.0.113.128/25"], true, None),
        ("010.0.0.0/8, '2001:db8::/32'", &["10.0.0.0/8", "2001:db8::/32"], true, None),
        ("all, 192.0.2.0/24", &["192.0.2.0/24"], true, Some("\"all\", which is no network")),
        ("192.0.2.1", &[], false, Some("is not served at its load balancer")),
    ] {
        let found = read(&format!(
            "{{apiVersion: v1, kind: Service, metadata: {{name: web}}, spec: {{clusterIP: \
             10.96.0.1, ports: [{{port: 80}}], loadBalancerSourceRanges: [{ranges}]}}, \
             status: {{loadBalancer: {{ingress: [{{ip: 192.0.2.9}}]}}}}}}"
        ));
        let spec = ServiceSpec {
            load_balancer_ips: if is_served { ips(&["192.0.2.9"]) } else { vec![] },
            source_ranges: expected.iter().map(|range| range.parse().unwrap()).collect(),
            ..plain()
        };
        match message {
            None => assert_eq!(found, (Some(spec), vec![]), "{ranges}"),
            Some(message) => {
                assert_eq!(found.0, Some(spec), "{ranges}");
                assert!(found.1.iter().any(|told| told.contains(message)), "{:?}", found.1);
            }
        }
    }
}

#[test]
fn what_has_no_cluster_ip_of_ours_is_ignored_silently() {
    for spec in [
        "clusterIP: None, ports: [{port: 80}]",
        "clusterIPs: [None], ports: [{port: 80}]",
        "type: ExternalName, clusterIP: 10.96.0.1, externalName: example.org",
    ] {
        assert_eq!(read_spec(spec), (None, vec![]), "{spec}");
    }
    for (label, expected) in [
        ("service.kubernetes.io/service-proxy-name", None),
        ("service.kubernetes.io/headless", Some(plain())),
    ] {
        let yaml = format!(
            "{{apiVersion: v1, kind: Service, metadata: {{name: web, labels: {{{label}: ''}}}}, \
             spec: {{clusterIP: 10.96.0.1, ports: [{{port: 80}}]}}}}"
        );
        assert_eq!(read(&yaml), (expected, vec![]), "{label}");
    }
}

#[test]
fn a_bad_address_or_port_is_named_and_the_rest_is_served() {
    let of_node_port = Some(of_kind(ServiceKind::NodePort, None));
    for (spec, expected, message) in [
        ("clusterIP: 10.96.0.1", None, "has no ports"),
        ("ports: [{port: 80}]", None, "has no cluster IP"),
        ("clusterIP: x, ports: [{port: 80}]", None, "\"x\", which is no IP address"),
        ("clusterIP: 0.0.0.0, ports: [{port: 80}]", None, "0.0.0.0, which cannot be used"),
        (
            "clusterIPs: [10.96.0.1, 10.96.0.2], ports: [{port: 80}]",
            Some(plain()),
            "10.96.0.2 as a second cluster IP",
        ),
        (
            "clusterIP: 10.96.0.1, ports: [{port: 80}, {name: s, port: 81, protocol: DCCP}]",
            Some(plain()),
            "port \"s\" of protocol \"DCCP\"; use TCP, UDP or SCTP",
        ),
        (
            "clusterIP: 10.96.0.1, ports: [{port: 80}, {name: s, port: 70000}]",
            Some(plain()),
            "port \"s\" 70000; use a number from 1 to 65535",
        ),
        (
            "type: NodePort, clusterIP: 10.96.0.1, ports: [{port: 80, nodePort: 99999}]",
            of_node_port.clone(),
            "has port with nodePort 99999; use a number",
        ),
        (
            "type: NodePort, clusterIP: 10.96.0.1, ports: [{port: 80}]",
            of_node_port,
            "has port without a nodePort, which nobody gives it here",
        ),
    ] {
        assert_says(&read_spec(spec), expected.as_ref(), message);
    }
}

#[test]
fn a_bad_way_in_or_policy_is_named_and_the_rest_is_served() {
    let default_affinity = ServiceSpec { affinity_seconds: Some(10_800), ..plain() };
    for (spec, expected, message) in [
        ("type: Nodeport", plain(), "has spec.type \"Nodeport\", which is taken as ClusterIP"),
        ("externalIPs: [192.0.2.300]", plain(), "externalIPs \"192.0.2.300\", which is no IP"),
        ("externalIPs: [169.254.169.254]", plain(), "169.254.169.254, which cannot be used"),
        ("externalIPs: ['ff02::1']", plain(), "ff02::1, which cannot be used"),
        (
            "internalTrafficPolicy: local",
            plain(),
            "has internalTrafficPolicy \"local\", which is taken as Cluster",
        ),
        (
            "externalTrafficPolicy: Node",
            plain(),
            "has externalTrafficPolicy \"Node\", which is taken as Cluster",
        ),
        (
            "sessionAffinity: clientIP",
            plain(),
            "has sessionAffinity \"clientIP\", which is taken as None",
        ),
        (
            "sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 86401}}",
            default_affinity.clone(),
            "timeout of 86401 seconds, which is taken as 10800; use 1 to 86400",
        ),
        (
            "sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 0}}",
            default_affinity,
            "timeout of 0 seconds, which is taken as 10800; use 1 to 86400",
        ),
    ] {
        assert_says(&read_with(spec), Some(&expected), message);
    }
}

#[test]
fn load_balancers_ask_about_services_of_theirs_with_local_policy() {
    let cluster = of_kind(ServiceKind::LoadBalancer, None);
    let local = ServiceSpec { external_local: true, ..cluster.clone() };
    let asked = ServiceSpec { health_check_port: Some(31_000), ..local.clone() };
    let node_port = ServiceSpec { kind: ServiceKind::NodePort, ..local.clone() };
    for (policy, expected) in [
        ("type: LoadBalancer, externalTrafficPolicy: Local", &asked),
        ("type: LoadBalancer, externalTrafficPolicy: Cluster", &cluster),
        ("type: LoadBalancer", &cluster),
        ("externalTrafficPolicy: Local", &ServiceSpec { external_local: true, ..plain() }),
    ] {
        let read = read_with(&format!("healthCheckNodePort: 31000, {policy}"));
        assert_eq!(read, (Some(expected.clone()), vec![]), "{policy}");
    }
    let of_node = read_with("type: NodePort, externalTrafficPolicy: Local, healthCheckNodePort: 1");
    assert_eq!(of_node.0, Some(node_port));
    for (port, message) in [("0", None), ("70000", Some("has healthCheckNodePort 70000; use"))] {
        let spec = "type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort";
        let found = read_with(&format!("{spec}: {port}"));
        match message {
            None => assert_eq!(found, (Some(local.clone()), vec![]), "{port}"),
            Some(message) => assert_says(&found, Some(&local), message),
        }
    }
}
