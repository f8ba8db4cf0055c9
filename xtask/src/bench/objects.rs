//! The Services as the objects that the agent reads.

use std::fmt::Write as _;

use super::catalog::{Catalog, Endpoint, Protocol, Service};

/// Service and `EndpointSlice` objects, each with its own document.
pub(super) fn yaml(catalog: &Catalog) -> String {
    catalog.0.iter().map(service).collect::<Vec<_>>().join("---\n")
}

fn service(service: &Service) -> String {
    let Service { name, protocol, frontend, is_sticky, endpoints } = service;
    let affinity = if *is_sticky { "ClientIP" } else { "None" };
    let protocol = word(*protocol);
    let (ip, port) = (frontend.ip(), frontend.port());
    let target = endpoints.first().map_or(port, |endpoint| endpoint.address.port());
    let mut text = format!(
        "apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: default}}
spec:
  ipFamilies: [IPv4]
  clusterIP: {ip}
  clusterIPs: [{ip}]
  selector: {{app: {name}}}
  sessionAffinity: {affinity}
  ports:
    - {{name: main, protocol: {protocol}, port: {port}, targetPort: {target}}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: {name}-1
  namespace: default
  labels: {{kubernetes.io/service-name: {name}}}
addressType: IPv4
ports:
  - {{name: main, protocol: {protocol}, port: {target}}}
endpoints:
"
    );
    for Endpoint { address, node } in endpoints {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "  - {{addresses: [{}], conditions: {{ready: true}}, nodeName: {node}}}",
            address.ip()
        );
    }
    text
}

fn word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "TCP",
        Protocol::Udp => "UDP",
    }
}
