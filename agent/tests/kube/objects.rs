//! Objects as the API has them, with all that nobody reads.

use serde_json::{Value, json};

pub(crate) fn service(name: &str, ip: &str) -> Value {
    json!({
        "kind": "Service", "apiVersion": "v1",
        "metadata": {
            "name": name, "namespace": "shop", "uid": format!("uid-{name}"),
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "managedFields": [{"manager": "kubectl", "operation": "Update", "apiVersion": "v1",
                               "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:ports": {}}}}],
        },
        "spec": {
            "type": "ClusterIP", "clusterIP": ip, "clusterIPs": [ip],
            "selector": {"app": name}, "sessionAffinity": "None",
            "internalTrafficPolicy": "Cluster", "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080}],
        },
        "status": {"loadBalancer": {}},
    })
}

pub(crate) fn slice(service: &str, addresses: &[&str]) -> Value {
    let endpoint = |address: &&str| {
        json!({"addresses": [address], "nodeName": "node-a",
               "conditions": {"ready": true, "serving": true, "terminating": false},
               "targetRef": {"kind": "Pod", "namespace": "shop", "name": address}})
    };
    json!({
        "kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1",
        "metadata": {
            "name": format!("{service}-x7k2p"), "namespace": "shop",
            "labels": {"kubernetes.io/service-name": service,
                       "endpointslice.kubernetes.io/managed-by": "endpointslice-controller"},
        },
        "addressType": "IPv4",
        "endpoints": addresses.iter().map(endpoint).collect::<Vec<_>>(),
        "ports": [{"name": "http", "protocol": "TCP", "port": 8080}],
    })
}

pub(crate) fn node(name: &str, number: u8) -> Value {
    json!({
        "kind": "Node", "apiVersion": "v1",
        "metadata": {"name": name, "labels": {"topology.kubernetes.io/zone": "z1"}},
        "spec": {"podCIDR": format!("10.1.{number}.0/24"),
                 "podCIDRs": [format!("10.1.{number}.0/24")]},
        "status": {
            "addresses": [{"type": "InternalIP", "address": format!("192.0.2.{number}")},
                          {"type": "Hostname", "address": name}],
            "conditions": [{"type": "Ready", "status": "True"}],
            "images": [{"names": ["registry/app:1"], "sizeBytes": 1}],
        },
    })
}

/// Two Services with endpoints, and two Nodes.
pub(crate) fn shop() -> Vec<Value> {
    vec![
        service("cart", "10.96.0.1"),
        slice("cart", &["10.1.1.2", "10.1.1.3"]),
        service("till", "10.96.0.2"),
        slice("till", &["10.1.1.4"]),
        node("node-a", 1),
        node("node-b", 2),
    ]
}

/// The same object with another value at a path, as `spec.ports`.
pub(crate) fn with(mut object: Value, path: &str, value: Value) -> Value {
    let mut place = &mut object;
    for key in path.split('.') {
        place = &mut place[key];
    }
    *place = value;
    object
}
