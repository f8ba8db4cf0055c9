//! Service to [`ServiceSpec`].

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec as Spec};

use super::Reading;
use super::addresses::{
    cluster_ip_texts, cluster_ips, external_ips, load_balancer_ips, source_ranges,
};
use super::reading::{ANOTHERS, Findings, has_label};
use crate::model::{Name, PortSpec, ServiceKind, ServiceSpec};

/// How long a client stays with its backend where the Service does not say, in seconds.
const AFFINITY_SECONDS: u32 = 10_800;
/// The longest that the API takes: a day.
const MOST_AFFINITY_SECONDS: u32 = 86_400;

/// Reads a Service. Those of other proxies, without an address of their own or with a name of
/// another in place of one are ignored.
pub(super) fn from_resource(name: Name, service: &Service) -> Reading<ServiceSpec> {
    let spec = service.spec.clone().unwrap_or_default();
    let is_external_name = spec.type_.as_deref() == Some("ExternalName");
    let is_anothers = has_label(service.metadata.labels.as_ref(), ANOTHERS);
    if is_anothers || is_external_name || is_headless(&spec) {
        return Reading::ignored();
    }
    let mut findings = Findings::default();
    let kind = kind(&spec, &mut findings);
    let cluster_ips = cluster_ips(&spec, &mut findings);
    let ports = ports(&spec, kind, &mut findings);
    let internal_policy = spec.internal_traffic_policy.as_deref();
    let external_policy = spec.external_traffic_policy.as_deref();
    let external_local = findings.is_local("externalTrafficPolicy", external_policy);
    let source_ranges = source_ranges(&spec, &mut findings);
    let mut load_balancer_ips = load_balancer_ips(service, &cluster_ips, &mut findings);
    if source_ranges.is_none() && !load_balancer_ips.is_empty() {
        findings.error("is not served at its load balancer: none of its ranges can be read");
        load_balancer_ips.clear();
    }
    let read = ServiceSpec {
        name,
        created: service.metadata.creation_timestamp.as_ref().map(|time| time.0.as_second()),
        kind,
        ports,
        load_balancer_ips,
        source_ranges: source_ranges.unwrap_or_default(),
        external_ips: external_ips(&spec, &cluster_ips, &mut findings),
        cluster_ips,
        internal_local: findings.is_local("internalTrafficPolicy", internal_policy),
        external_local,
        affinity_seconds: affinity_seconds(&spec, &mut findings),
        health_check_port: (kind == ServiceKind::LoadBalancer && external_local)
            .then(|| health_check_port(&spec, &mut findings))
            .flatten(),
    };
    let is_served = !read.ports.is_empty() && !read.cluster_ips.is_empty();
    findings.with(is_served.then_some(read))
}

fn is_headless(spec: &Spec) -> bool {
    cluster_ip_texts(spec).any(|text| text == "None")
}

fn kind(spec: &Spec, findings: &mut Findings) -> ServiceKind {
    match spec.type_.as_deref() {
        None | Some("" | "ClusterIP") => ServiceKind::ClusterIp,
        Some("NodePort") => ServiceKind::NodePort,
        Some("LoadBalancer") => ServiceKind::LoadBalancer,
        Some(other) => {
            findings.error(format!(
                "has spec.type \"{other}\", which is taken as ClusterIP; use ClusterIP, NodePort, \
                 LoadBalancer or ExternalName"
            ));
            ServiceKind::ClusterIp
        }
    }
}

fn ports(spec: &Spec, kind: ServiceKind, findings: &mut Findings) -> Vec<PortSpec> {
    if spec.ports.as_ref().is_none_or(Vec::is_empty) {
        findings.error("has no ports, so nothing of it can be served; add spec.ports");
    }
    spec.ports.iter().flatten().filter_map(|port| port_spec(port, kind, findings)).collect()
}

fn port_spec(port: &ServicePort, kind: ServiceKind, findings: &mut Findings) -> Option<PortSpec> {
    let name = port.name.clone().unwrap_or_default();
    let label = if name.is_empty() { "port".to_owned() } else { format!("port \"{name}\"") };
    let protocol = findings.protocol(&label, port.protocol.as_deref())?;
    let node_port = port.node_port.filter(|number| *number != 0);
    if node_port.is_none() && kind == ServiceKind::NodePort {
        findings
            .error(format!("has {label} without a nodePort, which nobody gives it here; set one"));
    }
    let node_port =
        node_port.and_then(|number| findings.port(&format!("{label} with nodePort"), number));
    let port = findings.port(&label, port.port)?;
    Some(PortSpec { name, protocol, port, node_port })
}

/// Where its load balancer asks. The API gives one to each Service that has a use for it.
fn health_check_port(spec: &Spec, findings: &mut Findings) -> Option<u16> {
    let number = spec.health_check_node_port.filter(|number| *number != 0)?;
    findings.port("healthCheckNodePort", number)
}

fn affinity_seconds(spec: &Spec, findings: &mut Findings) -> Option<u32> {
    match spec.session_affinity.as_deref() {
        None | Some("" | "None") => None,
        Some("ClientIP") => Some(timeout_seconds(spec, findings)),
        Some(other) => {
            findings.error(format!(
                "has sessionAffinity \"{other}\", which is taken as None; use None or ClientIP"
            ));
            None
        }
    }
}

fn timeout_seconds(spec: &Spec, findings: &mut Findings) -> u32 {
    let config = spec.session_affinity_config.as_ref();
    let given = config.and_then(|config| config.client_ip.as_ref()?.timeout_seconds);
    let Some(given) = given else {
        return AFFINITY_SECONDS;
    };
    let seconds = u32::try_from(given).ok();
    seconds.filter(|seconds| (1..=MOST_AFFINITY_SECONDS).contains(seconds)).unwrap_or_else(|| {
        findings.error(format!(
            "has a sessionAffinity timeout of {given} seconds, which is taken as \
             {AFFINITY_SECONDS}; use 1 to {MOST_AFFINITY_SECONDS}"
        ));
        AFFINITY_SECONDS
    })
}

#[cfg(test)]
mod tests;
