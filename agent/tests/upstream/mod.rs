//! kube-proxy's own unit suites, told as what a node serves, under the names of their cases.

mod categorize_endpoints;
mod service_map;
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
