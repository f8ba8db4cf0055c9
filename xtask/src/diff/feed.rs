//! What to ask an API server for, so that it has the objects of another state.

use serde_json::{Value, json};
use xtask::cluster::Request;

use super::{
    service::{Service, is_default},
    slice::Slice,
    state::State,
};

/// Makes a namespace.
pub(super) fn namespace(name: &str) -> Request {
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    Request::create("api/v1/namespaces", &object)
}

/// What makes one state of a namespace another one: what goes first leaves its addresses to others.
pub(super) fn changes(namespace: &str, old: &State, new: &State) -> Vec<Request> {
    let services = format!("api/v1/namespaces/{namespace}/services");
    let slices = format!("apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices");
    let gone = |path: &str, name: &String| Request::delete(&format!("{path}/{name}"));
    let mut requests = Vec::new();
    let stays = |name: &String, service: &Service| {
        new.services.get(name).is_some_and(|new| !is_new(service, new))
    };
    let left = |(name, service): &(&String, &Service)| !stays(name, service);
    requests.extend(old.services.iter().filter(left).map(|(name, _)| gone(&services, name)));
    let left = |name: &&String| !new.slices.contains_key(*name);
    requests.extend(old.slices.keys().filter(left).map(|name| gone(&slices, name)));
    for (name, service) in &new.services {
        let old = old.services.get(name).filter(|old| !is_new(old, service));
        requests.extend(service_changes(&services, old, service));
    }
    for (name, slice) in &new.slices {
        requests.extend(slice_change(&slices, old.slices.get(name), slice));
    }
    requests
}

/// Whether one has to go before the other can be: a cluster IP stays what it is.
fn is_new(old: &Service, new: &Service) -> bool {
    let address = |service: &Service| service.spec.cluster_ip.clone();
    address(old).zip(address(new)).is_some_and(|(old, new)| old != new)
}

/// A status has a path of its own, and one that is to be empty is emptied by the type.
fn service_changes(path: &str, old: Option<&Service>, new: &Service) -> Vec<Request> {
    let own = format!("{path}/{}", new.metadata.name);
    let object = object(new, "Service");
    let mut requests = Vec::new();
    match old {
        Some(old) if old == new => return requests,
        Some(_) => requests.push(Request::replace(&own, &object)),
        None => requests.push(Request::create(path, &object)),
    }
    let was_empty = old.is_none_or(|old| is_default(&old.status));
    if !(was_empty && is_default(&new.status)) {
        requests.push(Request::replace(&format!("{own}/status"), &object));
    }
    requests
}

fn slice_change(path: &str, old: Option<&Slice>, new: &Slice) -> Option<Request> {
    let object = object(new, "EndpointSlice");
    match old {
        Some(old) if old == new => None,
        Some(_) => Some(Request::replace(&format!("{path}/{}", new.metadata.name), &object)),
        None => Some(Request::create(path, &object)),
    }
}

fn object(object: &impl serde::Serialize, kind: &str) -> Value {
    // No map of these has keys that are not text, which is all that could fail.
    let mut value = serde_json::to_value(object).unwrap_or_default();
    value["kind"] = kind.into();
    value
}

#[cfg(test)]
mod tests {
    use std::slice;

    use serde_json::json;
    use xtask::cluster::Request;

    use super::{changes, object};
    use crate::diff::{
        service::{Family, Ingress, Kind, Metadata, Service},
        slice::Slice,
        state::State,
    };

    fn service(name: &str) -> Service {
        let metadata = Metadata { name: name.to_owned(), ..Metadata::default() };
        Service { metadata, ..Service::default() }
    }

    fn balanced(name: &str) -> Service {
        let mut service = service(name);
        service.spec.kind = Kind::LoadBalancer;
        service.status.load_balancer.ingress =
            vec![Ingress { ip: Some("198.51.100.1".parse().unwrap()), ..Ingress::default() }];
        service
    }

    fn state(services: &[Service], slices: &[&str]) -> State {
        let mut state = State::default();
        services.iter().for_each(|service| state.set_service(service.clone()));
        for name in slices {
            state.set_slice(Slice::new(name, "a", Family::IPv4));
        }
        state
    }

    #[test]
    fn a_service_of_another_address_is_another_one() {
        let at = |address: &str| {
            let mut service = service("a");
            service.spec.set_addresses(&[address.parse().unwrap()]);
            service
        };
        let [old, new] = ["10.96.1.1", "10.96.1.2"].map(at);
        assert_eq!(
            changes("n", &state(&[old], &[]), &state(slice::from_ref(&new), &[])),
            [
                Request::delete("api/v1/namespaces/n/services/a"),
                Request::create("api/v1/namespaces/n/services", &object(&new, "Service")),
            ]
        );
    }

    #[test]
    fn only_what_differs_is_asked_for_and_removals_come_first() {
        let old = state(&[service("a"), balanced("b"), service("c")], &["a-1", "a-2"]);
        let new = state(&[service("a"), service("b"), balanced("d")], &["a-2", "a-3"]);
        let (services, slices) = (
            "api/v1/namespaces/n/services",
            "apis/discovery.k8s.io/v1/namespaces/n/endpointslices",
        );
        let plain = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "b"},
            "spec": {"type": "ClusterIP"},
        });
        let made = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "d"},
            "spec": {"type": "LoadBalancer"},
            "status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.1"}]}},
        });
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata":
            {"name": "a-3", "labels": {"kubernetes.io/service-name": "a"}},
            "addressType": "IPv4", "ports": [], "endpoints": [],
        });
        assert_eq!(
            changes("n", &old, &new),
            [
                Request::delete(&format!("{services}/c")),
                Request::delete(&format!("{slices}/a-1")),
                Request::replace(&format!("{services}/b"), &plain),
                Request::replace(&format!("{services}/b/status"), &plain),
                Request::create(services, &made),
                Request::replace(&format!("{services}/d/status"), &made),
                Request::create(slices, &slice),
            ]
        );
        assert_eq!(changes("n", &new, &new), []);
    }
}
