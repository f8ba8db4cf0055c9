//! Endpoints to [`EndpointsSpec`].

use std::net::IpAddr;

use k8s_openapi::api::core::v1::{EndpointAddress, EndpointSubset, Endpoints};

use super::Reading;
use super::reading::{Findings, HEADLESS, has_label};
use crate::model::{Endpoint, EndpointSet, EndpointsSpec, Name};

/// Reads an Endpoints object. Those of headless Services are ignored.
pub(super) fn from_resource(name: Name, endpoints: &Endpoints) -> Reading<EndpointsSpec> {
    if has_label(endpoints.metadata.labels.as_ref(), HEADLESS) {
        return Reading::ignored();
    }
    let mut findings = Findings::default();
    let sets =
        endpoints.subsets.iter().flatten().map(|subset| set(subset, &mut findings)).collect();
    findings.with(Some(EndpointsSpec { name, sets }))
}

fn set(subset: &EndpointSubset, findings: &mut Findings) -> EndpointSet {
    let mut set = EndpointSet::default();
    for port in subset.ports.iter().flatten() {
        let protocol = findings.protocol("a port", port.protocol.as_deref());
        let number = findings.port("port", port.port);
        if let (Some(protocol), Some(number)) = (protocol, number) {
            set.ports.push((port.name.clone().unwrap_or_default(), protocol, number));
        }
    }
    let ready = subset.addresses.iter().flatten().map(|address| (address, true));
    let others = subset.not_ready_addresses.iter().flatten().map(|address| (address, false));
    set.endpoints = ready
        .chain(others)
        .filter_map(|(address, is_ready)| endpoint(address, is_ready, findings))
        .collect();
    set
}

/// Endpoints objects do not know who is on its way out, and who is not ready may not answer.
fn endpoint(
    address: &EndpointAddress,
    is_ready: bool,
    findings: &mut Findings,
) -> Option<Endpoint<IpAddr>> {
    let at = findings.routed_address("an endpoint at", &address.ip)?;
    let node = address.node_name.clone();
    Some(Endpoint { at, node, ready: is_ready, serving: is_ready, terminating: false, hints: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Protocol;

    #[test]
    fn ready_and_other_addresses_of_a_subset_share_its_ports() {
        let yaml = "{apiVersion: v1, kind: Endpoints, metadata: {name: web}, subsets: [{\
            addresses: [{ip: 10.1.0.2, nodeName: node-a}, {ip: nonsense}], \
            notReadyAddresses: [{ip: 10.1.0.3}], ports: [{name: http, port: 8080}]}]}";
        let endpoints: Endpoints = serde_saphyr::from_str(yaml).unwrap();
        let reading = from_resource(Name::new("default", "web"), &endpoints);
        let endpoint = |at: &str, node: Option<&str>, ready| Endpoint {
            at: at.parse().unwrap(),
            node: node.map(str::to_owned),
            ready,
            serving: ready,
            terminating: false,
            hints: None,
        };
        let set = EndpointSet {
            ports: vec![("http".to_owned(), Protocol::Tcp, 8080)],
            endpoints: vec![
                endpoint("10.1.0.2", Some("node-a"), true),
                endpoint("10.1.0.3", None, false),
            ],
        };
        let expected = EndpointsSpec { name: Name::new("default", "web"), sets: vec![set] };
        assert_eq!(reading.spec, Some(expected));
        assert_eq!(
            reading.problems.iter().map(|problem| &problem.message).collect::<Vec<_>>(),
            ["has an endpoint at \"nonsense\", which is no IP address; correct it"],
        );
    }
}
