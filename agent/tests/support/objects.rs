//! Objects with only the fields that matter.

use serde_json::json;
use waggle_agent::k8s::{Change, Kind, Object, ObjectRef, Resource};
use waggle_agent::model::Name;

/// A Service with one TCP port, 80, named `http`.
pub(crate) fn service(name: &str, cluster_ips: &[&str]) -> Change {
    service_with(name, cluster_ips, "Cluster", None)
}

pub(crate) fn service_with(
    name: &str,
    cluster_ips: &[&str],
    internal_policy: &str,
    created: Option<&str>,
) -> Change {
    apply(Resource::Service(
        serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": "default", "creationTimestamp": created},
            "spec": {
                "clusterIPs": cluster_ips,
                "internalTrafficPolicy": internal_policy,
                "ports": [{"name": "http", "port": 80}],
            },
        }))
        .unwrap(),
    ))
}

/// An endpoint: address, node, and `ready`, `terminating` (and serving) or `gone`.
pub(crate) type Endpoint<'a> = (String, &'a str, &'a str);

pub(crate) fn slice(name: &str, service: &str, endpoints: &[Endpoint<'_>]) -> Change {
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
            "ports": [{"name": "http", "port": 8080}],
            "endpoints": endpoints,
        }))
        .unwrap(),
    ))
}

pub(crate) fn delete(kind: Kind, name: &str) -> Change {
    Change::Delete(ObjectRef { kind, name: Name::new("default", name) })
}

fn apply(resource: Resource) -> Change {
    Change::Apply(Box::new(Object { location: None, resource }))
}
