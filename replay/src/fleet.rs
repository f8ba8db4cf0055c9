//! A cluster of any size, for measurements: the same objects for the API and for a file.

use serde_json::{Value, json};

/// Services of one port, each with as many endpoints, spread over two nodes, and the Nodes.
pub fn fleet(services: u32, endpoints: u32) -> impl Iterator<Item = Value> {
    let nodes = [("node-a", 1), ("node-b", 2)].map(|(name, number)| node(name, number));
    let pairs = (0..services).flat_map(move |number| {
        let name = format!("service-{number}");
        [service(&name, number), slice(&name, number, endpoints)]
    });
    nodes.into_iter().chain(pairs)
}

/// The same objects as the text of one manifest, a document each.
#[must_use]
pub fn manifest(objects: impl Iterator<Item = Value>) -> String {
    objects.map(|object| format!("---\n{object}\n")).collect()
}

/// A kubeconfig that leads to a server without credentials.
#[must_use]
pub fn kubeconfig(address: &str) -> String {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "replay",
        "clusters": [{"name": "replay", "cluster": {"server": address}}],
        "users": [{"name": "replay", "user": {}}],
        "contexts": [{"name": "replay", "context": {"cluster": "replay", "user": "replay"}}],
    })
    .to_string()
}

fn service(name: &str, number: u32) -> Value {
    let [_, high, middle, low] = number.to_be_bytes();
    let ip = format!("10.{}.{middle}.{low}", 100 + high);
    json!({
        "kind": "Service", "apiVersion": "v1",
        "metadata": {
            "name": name, "namespace": "default", "uid": format!("00000000-{number:012}"),
            "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": managed("f:spec"),
        },
        "spec": {
            "type": "ClusterIP", "clusterIP": ip, "clusterIPs": [ip], "selector": {"app": name},
            "sessionAffinity": "None", "internalTrafficPolicy": "Cluster",
            "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
            "ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080}],
        },
        "status": {"loadBalancer": {}},
    })
}

fn slice(service: &str, number: u32, endpoints: u32) -> Value {
    let endpoint = |index: u32| {
        let [_, high, middle, low] = (number * endpoints + index).to_be_bytes();
        json!({
            "addresses": [format!("10.{}.{middle}.{low}", 200 + high)],
            "nodeName": if index.is_multiple_of(2) { "node-a" } else { "node-b" },
            "conditions": {"ready": true, "serving": true, "terminating": false},
            "targetRef": {"kind": "Pod", "namespace": "default", "name": format!("{service}-{index}")},
        })
    };
    json!({
        "kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1",
        "metadata": {
            "name": format!("{service}-x7k2p"), "namespace": "default",
            "labels": {"kubernetes.io/service-name": service},
            "managedFields": managed("f:endpoints"),
        },
        "addressType": "IPv4",
        "endpoints": (0..endpoints).map(endpoint).collect::<Vec<_>>(),
        "ports": [{"name": "http", "protocol": "TCP", "port": 8080}],
    })
}

fn node(name: &str, number: u8) -> Value {
    json!({
        "kind": "Node", "apiVersion": "v1", "metadata": {"name": name},
        "spec": {"podCIDR": format!("10.1.{number}.0/24"), "podCIDRs": [format!("10.1.{number}.0/24")]},
        "status": {"addresses": [{"type": "InternalIP", "address": format!("192.0.2.{number}")}]},
    })
}

/// What nobody reads and every object has.
fn managed(field: &str) -> Value {
    json!([{"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1",
            "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": {field: {".": {}}}}])
}
