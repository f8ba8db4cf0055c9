//! Service to [`ServiceSpec`].

use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec as Spec};

use super::Reading;
use super::reading::{Findings, is_foreign};
use crate::model::{Name, PortSpec, ServiceSpec};

/// Reads a Service. Those of other proxies, without an address of their own or with a name of
/// another in place of one are ignored.
pub(super) fn from_resource(name: Name, service: &Service) -> Reading<ServiceSpec> {
    let spec = service.spec.clone().unwrap_or_default();
    let is_external_name = spec.type_.as_deref() == Some("ExternalName");
    if is_foreign(service.metadata.labels.as_ref()) || is_external_name || is_headless(&spec) {
        return Reading::ignored();
    }
    let mut findings = Findings::default();
    let cluster_ips = cluster_ips(&spec, &mut findings);
    let ports: Vec<_> =
        spec.ports.iter().flatten().filter_map(|port| port_spec(port, &mut findings)).collect();
    if spec.ports.as_ref().is_none_or(Vec::is_empty) {
        findings.error("has no ports, so nothing of it can be served; add spec.ports");
    }
    unserved(&spec, &mut findings);
    if ports.is_empty() || cluster_ips.is_empty() {
        return findings.with(None);
    }
    let created = service.metadata.creation_timestamp.as_ref().map(|time| time.0.as_second());
    let internal_local = spec.internal_traffic_policy.as_deref() == Some("Local");
    findings.with(Some(ServiceSpec { name, created, ports, cluster_ips, internal_local }))
}

fn is_headless(spec: &Spec) -> bool {
    cluster_ip_texts(spec).any(|text| text == "None")
}

fn cluster_ip_texts(spec: &Spec) -> impl Iterator<Item = &str> {
    let listed = spec.cluster_ips.iter().flatten();
    // The API keeps both fields equal; files may have only the older one.
    let single = spec.cluster_ip.iter().filter(|_| spec.cluster_ips.is_none());
    listed.chain(single).map(String::as_str).filter(|text| !text.is_empty())
}

fn cluster_ips(spec: &Spec, findings: &mut Findings) -> Vec<IpAddr> {
    let mut ips: Vec<IpAddr> = Vec::new();
    if cluster_ip_texts(spec).next().is_none() {
        findings.error(
            "has no cluster IP, so nothing leads to it; set spec.clusterIPs (or None for a \
             headless Service)",
        );
    }
    for text in cluster_ip_texts(spec) {
        let Some(ip) = findings.address("spec.clusterIPs", text) else {
            continue;
        };
        if ips.iter().any(|other| other.is_ipv4() == ip.is_ipv4()) {
            findings.error(format!(
                "has {ip} as a second cluster IP of its family; remove it from spec.clusterIPs"
            ));
            continue;
        }
        ips.push(ip);
    }
    ips
}

fn port_spec(port: &ServicePort, findings: &mut Findings) -> Option<PortSpec> {
    let name = port.name.clone().unwrap_or_default();
    let label = if name.is_empty() { "port".to_owned() } else { format!("port \"{name}\"") };
    let protocol = findings.protocol(&label, port.protocol.as_deref())?;
    let port = findings.port(&label, port.port)?;
    Some(PortSpec { name, protocol, port })
}

/// Says what the Service asks for beyond what is served.
fn unserved(spec: &Spec, findings: &mut Findings) {
    if spec.session_affinity.as_deref() == Some("ClientIP") {
        findings.note("has sessionAffinity ClientIP, which has no effect yet");
    }
    let external_ips = spec.external_ips.as_ref().is_some_and(|ips| !ips.is_empty());
    let kind = spec.type_.as_deref().unwrap_or("ClusterIP");
    if kind != "ClusterIP" || external_ips {
        findings.note(format!(
            "is of type {kind}, but only its cluster IPs are served yet: no node ports, load \
             balancer addresses or external IPs"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Protocol;

    fn read(yaml: &str) -> (Option<ServiceSpec>, Vec<String>) {
        let service: Service = serde_saphyr::from_str(yaml).unwrap();
        let reading = from_resource(Name::new("default", "web"), &service);
        (reading.spec, reading.problems.into_iter().map(|problem| problem.message).collect())
    }

    fn service(spec: &str) -> String {
        format!("{{apiVersion: v1, kind: Service, metadata: {{name: web}}, spec: {{{spec}}}}}")
    }

    fn web(ips: &[&str], ports: &[(&str, Protocol, u16)]) -> ServiceSpec {
        ServiceSpec {
            name: Name::new("default", "web"),
            created: None,
            ports: ports
                .iter()
                .map(|(name, protocol, port)| PortSpec {
                    name: (*name).to_owned(),
                    protocol: *protocol,
                    port: *port,
                })
                .collect(),
            cluster_ips: ips.iter().map(|ip| ip.parse().unwrap()).collect(),
            internal_local: false,
        }
    }

    #[test]
    fn the_parts_that_matter_are_kept() {
        let one = web(&["10.96.0.1"], &[("", Protocol::Tcp, 80)]);
        for (name, spec, expected) in [
            ("old field", "clusterIP: 10.96.0.1, ports: [{port: 80, targetPort: x}]", one.clone()),
            ("both", "clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1], ports: [{port: 80}]", one),
            (
                "dual stack, two ports",
                "clusterIPs: [10.96.0.041, 'fd00::1'], ports: [{name: a, port: 53, protocol: UDP}, \
                 {name: b, port: 53}]",
                web(
                    &["10.96.0.41", "fd00::1"],
                    &[("a", Protocol::Udp, 53), ("b", Protocol::Tcp, 53)],
                ),
            ),
        ] {
            assert_eq!(read(&service(spec)), (Some(expected), vec![]), "{name}");
        }
    }

    #[test]
    fn what_has_no_cluster_ip_of_ours_is_ignored_silently() {
        for spec in [
            "clusterIP: None, ports: [{port: 80}]",
            "clusterIPs: [None], ports: [{port: 80}]",
            "type: ExternalName, clusterIP: 10.96.0.1, externalName: example.org",
        ] {
            assert_eq!(read(&service(spec)), (None, vec![]), "{spec}");
        }
        for label in ["service.kubernetes.io/service-proxy-name", "service.kubernetes.io/headless"]
        {
            let yaml = format!(
                "{{apiVersion: v1, kind: Service, metadata: {{name: web, labels: {{{label}: ''}}}}, \
                 spec: {{clusterIP: 10.96.0.1, ports: [{{port: 80}}]}}}}"
            );
            assert_eq!(read(&yaml), (None, vec![]), "{label}");
        }
    }

    #[test]
    fn a_bad_part_is_named_and_the_rest_is_served() {
        let rest = web(&["10.96.0.1"], &[("", Protocol::Tcp, 80)]);
        for (spec, expected, message) in [
            ("clusterIP: 10.96.0.1", None, "has no ports"),
            ("ports: [{port: 80}]", None, "has no cluster IP"),
            ("clusterIP: x, ports: [{port: 80}]", None, "\"x\", which is no IP address"),
            (
                "clusterIPs: [10.96.0.1, 10.96.0.2], ports: [{port: 80}]",
                Some(rest.clone()),
                "10.96.0.2 as a second cluster IP",
            ),
            (
                "clusterIP: 10.96.0.1, ports: [{port: 80}, {name: s, port: 81, protocol: SCTP}]",
                Some(rest.clone()),
                "port \"s\" of protocol SCTP, which is not served yet",
            ),
            (
                "clusterIP: 10.96.0.1, ports: [{port: 80}, {name: s, port: 70000}]",
                Some(rest.clone()),
                "port \"s\" 70000; use a number from 1 to 65535",
            ),
            (
                "type: NodePort, clusterIP: 10.96.0.1, ports: [{port: 80}]",
                Some(rest.clone()),
                "of type NodePort, but only its cluster IPs",
            ),
            (
                "sessionAffinity: ClientIP, clusterIP: 10.96.0.1, ports: [{port: 80}]",
                Some(rest),
                "has sessionAffinity ClientIP",
            ),
        ] {
            let (found, messages) = read(&service(spec));
            assert_eq!(found, expected, "{spec}");
            assert!(matches!(&messages[..], [only] if only.contains(message)), "{messages:?}");
        }
    }
}
