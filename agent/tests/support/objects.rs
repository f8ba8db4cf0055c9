//! Objects with only the fields that matter.

use serde_json::json;
use waggle_agent::k8s::{Change, Kind, Object, ObjectRef, Resource};
use waggle_agent::model::Name;

/// A Service with one port, 80, of TCP unless it says otherwise, named `http`.
pub(crate) fn service(name: &str, cluster_ips: &[&str]) -> Change {
    Shape::of(name, cluster_ips).change()
}

/// What a Service asks for.
#[derive(Clone, Default)]
pub(crate) struct Shape {
    pub(crate) name: String,
    pub(crate) cluster_ips: Vec<String>,
    pub(crate) created: Option<String>,
    pub(crate) internal_local: bool,
    pub(crate) external_local: bool,
    pub(crate) node_port: u16,
    pub(crate) load_balancer_ips: Vec<String>,
    pub(crate) external_ips: Vec<String>,
    pub(crate) affinity_seconds: Option<u32>,
    pub(crate) protocol: Option<&'static str>,
    /// Makes it a load balancer's with a Local policy.
    pub(crate) health_check_port: u16,
}

impl Shape {
    pub(crate) fn of(name: &str, cluster_ips: &[&str]) -> Self {
        let cluster_ips = cluster_ips.iter().map(|ip| (*ip).to_owned()).collect();
        Self { name: name.to_owned(), cluster_ips, ..Self::default() }
    }

    pub(crate) fn change(&self) -> Change {
        let policy = |is_local| if is_local { "Local" } else { "Cluster" };
        let ingress = self.load_balancer_ips.iter().map(|ip| json!({"ip": ip}));
        let is_asked = self.health_check_port > 0;
        let kind = match (is_asked, self.node_port > 0) {
            (true, _) => "LoadBalancer",
            (false, true) => "NodePort",
            (false, false) => "ClusterIP",
        };
        let affinity = if self.affinity_seconds.is_some() { "ClientIP" } else { "None" };
        apply(Resource::Service(
            serde_json::from_value(json!({
                "apiVersion": "v1", "kind": "Service",
                "metadata": {
                    "name": self.name,
                    "namespace": "default",
                    "creationTimestamp": self.created,
                },
                "spec": {
                    "type": kind,
                    "healthCheckNodePort": self.health_check_port,
                    "clusterIPs": self.cluster_ips,
                    "externalIPs": self.external_ips,
                    "internalTrafficPolicy": policy(self.internal_local),
                    "externalTrafficPolicy": policy(self.external_local || is_asked),
                    "sessionAffinity": affinity,
                    "sessionAffinityConfig":
                        {"clientIP": {"timeoutSeconds": self.affinity_seconds}},
                    "ports": [{
                        "name": "http",
                        "port": 80,
                        "nodePort": self.node_port,
                        "protocol": self.protocol,
                    }],
                },
                "status": {"loadBalancer": {"ingress": ingress.collect::<Vec<_>>()}},
            }))
            .unwrap(),
        ))
    }
}

/// An endpoint: address, node, and `ready`, `terminating` (and serving) or `gone`.
pub(crate) type Endpoint<'a> = (String, &'a str, &'a str);

pub(crate) fn slice(name: &str, service: &str, endpoints: &[Endpoint<'_>]) -> Change {
    slice_of(None, name, service, endpoints)
}

/// A slice whose port is of a protocol, TCP where none is said.
pub(crate) fn slice_of(
    protocol: Option<&str>,
    name: &str,
    service: &str,
    endpoints: &[Endpoint<'_>],
) -> Change {
    let is_ipv6 = endpoints.iter().any(|(address, ..)| address.contains(':'));
    let endpoints: Vec<_> = endpoints
        .iter()
        .map(|(address, node, condition)| {
            json!({"addresses": [address], "nodeName": node, "conditions": {
                "ready": *condition == "ready",
                "serving": *condition != "gone",
                "terminating": *condition != "ready",
            }})
        })
        .collect();
    apply(Resource::EndpointSlice(
        serde_json::from_value(json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": name, "namespace": "default",
                         "labels": {"kubernetes.io/service-name": service}},
            "addressType": if is_ipv6 { "IPv6" } else { "IPv4" },
            "ports": [{"name": "http", "port": 8080, "protocol": protocol}],
            "endpoints": endpoints,
        }))
        .unwrap(),
    ))
}

pub(crate) fn delete(kind: Kind, name: &str) -> Change {
    Change::Delete(ObjectRef { kind, name: Name::new("default", name) })
}

fn apply(resource: Resource) -> Change {
    Change::Apply(Object { location: None, resource }.into())
}
