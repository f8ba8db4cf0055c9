//! EndpointSlice to [`SliceSpec`].

use std::net::IpAddr;
use std::sync::Arc;

use k8s_openapi::api::discovery::v1::{
    Endpoint as Source, EndpointHints, EndpointPort, EndpointSlice,
};

use super::Reading;
use super::reading::{Findings, HEADLESS, has_label};
use crate::model::{Endpoint, EndpointSet, Hints, Name, Protocol, SliceSpec};

/// The label that names the Service.
pub(super) const SERVICE: &str = "kubernetes.io/service-name";

/// Reads an EndpointSlice. Those of headless Services and those of host names are ignored.
pub(super) fn from_resource(name: Name, slice: &EndpointSlice) -> Reading<SliceSpec> {
    let labels = slice.metadata.labels.as_ref();
    if has_label(labels, HEADLESS) || slice.address_type == "FQDN" {
        return Reading::ignored();
    }
    let mut findings = Findings::default();
    let service = labels.and_then(|labels| labels.get(SERVICE)).filter(|name| !name.is_empty());
    let Some(service) = service else {
        findings.error(format!("belongs to no Service; add the label {SERVICE}"));
        return findings.with(None);
    };
    let is_ipv4 = match slice.address_type.as_str() {
        "IPv4" => true,
        "IPv6" => false,
        other => {
            findings.error(format!("has addressType \"{other}\"; use IPv4 or IPv6"));
            return findings.with(None);
        }
    };
    let ports =
        slice.ports.iter().flatten().filter_map(|port| port_of(port, &mut findings)).collect();
    let endpoints = slice
        .endpoints
        .iter()
        .flatten()
        .filter_map(|source| endpoint(source, is_ipv4, &mut findings))
        .collect();
    let set = EndpointSet { ports, endpoints };
    findings.with(Some(SliceSpec { name, service: service.clone(), set }))
}

/// A port without a number means all ports, which no frontend can lead to. One without a name has
/// the empty one, which the API server would write into it.
fn port_of(port: &EndpointPort, findings: &mut Findings) -> Option<(String, Protocol, u16)> {
    let number = port.port.filter(|number| *number != 0)?;
    let protocol = findings.protocol("a port", port.protocol.as_deref())?;
    let number = findings.port("port", number)?;
    Some((port.name.clone().unwrap_or_default(), protocol, number))
}

/// Only the first address counts (`discovery.k8s.io/v1`, Endpoint.addresses).
fn endpoint(source: &Source, is_ipv4: bool, findings: &mut Findings) -> Option<Endpoint<IpAddr>> {
    let Some(text) = source.addresses.first() else {
        findings.error("has an endpoint without an address; add one or remove the endpoint");
        return None;
    };
    let at = findings.routed_address("an endpoint at", text)?;
    if at.is_ipv4() != is_ipv4 {
        findings.error(format!(
            "has an endpoint at {at}, which is not of its addressType; move it to another slice"
        ));
        return None;
    }
    let conditions = source.conditions.clone().unwrap_or_default();
    Some(Endpoint {
        at,
        node: source.node_name.clone(),
        ready: conditions.ready.unwrap_or(true),
        serving: conditions.serving.unwrap_or(true),
        terminating: conditions.terminating.unwrap_or(false),
        hints: source.hints.as_ref().and_then(hints),
    })
}

fn hints(source: &EndpointHints) -> Option<Arc<Hints>> {
    let nodes = source.for_nodes.iter().flatten().map(|node| node.name.clone()).collect();
    let zones = source.for_zones.iter().flatten().map(|zone| zone.name.clone()).collect();
    let hints = Hints { nodes, zones };
    (hints != Hints::default()).then(|| Arc::new(hints))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> (Option<SliceSpec>, Vec<String>) {
        let yaml = format!("{{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, {body}}}");
        let slice: EndpointSlice = serde_saphyr::from_str(&yaml).unwrap();
        let reading = from_resource(Name::new("default", "web-1"), &slice);
        (reading.spec, reading.problems.into_iter().map(|problem| problem.message).collect())
    }

    fn with(endpoints: &str) -> String {
        format!(
            "metadata: {{name: web-1, labels: {{{SERVICE}: web}}}}, addressType: IPv4, \
             ports: [{{port: 8080}}], endpoints: [{endpoints}]"
        )
    }

    fn spec(endpoints: Vec<Endpoint<IpAddr>>) -> SliceSpec {
        SliceSpec {
            name: Name::new("default", "web-1"),
            service: "web".to_owned(),
            set: EndpointSet { ports: vec![(String::new(), Protocol::Tcp, 8080)], endpoints },
        }
    }

    fn plain(at: &str) -> Endpoint<IpAddr> {
        let at = at.parse().unwrap();
        Endpoint { at, node: None, ready: true, serving: true, terminating: false, hints: None }
    }

    #[test]
    fn missing_conditions_mean_ready() {
        let gone = Endpoint {
            node: Some("node-a".to_owned()),
            ready: false,
            terminating: true,
            ..plain("10.1.0.3")
        };
        let body = with(
            "{addresses: [10.1.0.2, 10.9.9.9]}, \
             {addresses: [10.1.0.3], nodeName: node-a, conditions: {ready: false, terminating: true}}",
        );
        assert_eq!(read(&body), (Some(spec(vec![plain("10.1.0.2"), gone])), vec![]));
    }

    #[test]
    fn hints_are_kept_where_they_name_anybody() {
        let hints = |nodes: &[&str], zones: &[&str]| {
            let [nodes, zones] =
                [nodes, zones].map(|names| names.iter().map(|name| (*name).to_owned()).collect());
            Some(Arc::new(Hints { nodes, zones }))
        };
        for (text, expected) in [
            ("", None),
            (", hints: {}", None),
            (", hints: {forZones: [], forNodes: []}", None),
            (", hints: {forZones: [{name: a}, {name: b}]}", hints(&[], &["a", "b"])),
            (", hints: {forNodes: [{name: n}], forZones: [{name: a}]}", hints(&["n"], &["a"])),
        ] {
            let endpoint = Endpoint { hints: expected, ..plain("10.1.0.2") };
            let body = with(&format!("{{addresses: [10.1.0.2]{text}}}"));
            assert_eq!(read(&body), (Some(spec(vec![endpoint])), vec![]), "{text}");
        }
    }

    #[test]
    fn ports_are_those_with_a_number() {
        let named = |name: &str, protocol, number| (name.to_owned(), protocol, number);
        for (ports, expected) in [
            ("[{port: 8080}]", vec![named("", Protocol::Tcp, 8080)]),
            ("[{name: '', port: 8080}]", vec![named("", Protocol::Tcp, 8080)]),
            ("[{name: a, port: 53, protocol: UDP}]", vec![named("a", Protocol::Udp, 53)]),
            (
                "[{name: a}, {name: b, port: 0}, {name: c, port: 1}]",
                vec![named("c", Protocol::Tcp, 1)],
            ),
            ("[]", vec![]),
        ] {
            let body = with("").replace("[{port: 8080}]", ports);
            let set = EndpointSet { ports: expected, endpoints: vec![] };
            assert_eq!(read(&body), (Some(SliceSpec { set, ..spec(vec![]) }), vec![]), "{ports}");
        }
    }

    #[test]
    fn addresses_are_read_as_decimal_numbers() {
        let body = with("{addresses: [010.001.000.041]}");
        assert_eq!(read(&body), (Some(spec(vec![plain("10.1.0.41")])), vec![]));
    }

    #[test]
    fn a_bad_endpoint_is_named_and_the_others_are_kept() {
        for (bad, message) in [
            ("{addresses: [10.1.0.999]}", "\"10.1.0.999\", which is no IP address"),
            ("{addresses: [127.0.0.1]}", "an endpoint at 127.0.0.1, which cannot be used here"),
            ("{addresses: []}", "an endpoint without an address"),
            ("{addresses: ['fd00::2']}", "fd00::2, which is not of its addressType"),
        ] {
            let (found, messages) = read(&with(&format!("{bad}, {{addresses: [10.1.0.2]}}")));
            assert_eq!(found, Some(spec(vec![plain("10.1.0.2")])), "{bad}");
            assert!(matches!(&messages[..], [only] if only.contains(message)), "{messages:?}");
        }
    }

    #[test]
    fn a_slice_of_no_service_or_of_names_is_left_out() {
        for labels in ["", &format!(", labels: {{{SERVICE}: ''}}")] {
            let body = format!("metadata: {{name: x{labels}}}, addressType: IPv4, endpoints: []");
            let (found, messages) = read(&body);
            assert_eq!(found, None);
            assert!(messages[0].contains("belongs to no Service"), "{messages:?}");
        }
        let names = "metadata: {name: x}, addressType: FQDN, endpoints: []";
        assert_eq!(read(names), (None, vec![]));
    }
}
