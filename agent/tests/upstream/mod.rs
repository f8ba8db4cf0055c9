//! kube-proxy's own unit suites under the names of their cases, told as what a node serves and whom
//! the first packets of clients reach.

mod categorize_endpoints;
mod cluster_ips;
mod flows;
mod frontends;
mod load_balancers;
mod local_detectors;
mod masquerade;
mod node_ports;
mod policies;
mod rows;
mod service_map;
mod sync;
mod update_endpoints_map;

use serde_json::Value;
use waggle_agent::k8s::{Change, Object, Resource};

fn apply(resource: Resource) -> Change {
    Change::Apply(Object { location: None, resource }.into())
}

fn service(object: Value) -> Change {
    apply(Resource::Service(serde_json::from_value(object).unwrap()))
}

fn endpoint_slice(object: Value) -> Change {
    apply(Resource::EndpointSlice(serde_json::from_value(object).unwrap()))
}

fn node(object: Value) -> Change {
    apply(Resource::Node(serde_json::from_value(object).unwrap()))
}
