//! The addresses that lead to a Service.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use k8s_openapi::api::core::v1::{LoadBalancerIngress, Service, ServiceSpec as Spec};

use super::reading::Findings;

/// Its own addresses, one of each family at most.
pub(super) fn cluster_ips(spec: &Spec, findings: &mut Findings) -> Vec<IpAddr> {
    let mut ips: Vec<IpAddr> = Vec::new();
    if cluster_ip_texts(spec).next().is_none() {
        findings.error(
            "has no cluster IP, so nothing leads to it; set spec.clusterIPs (or None for a \
             headless Service)",
        );
    }
    for text in cluster_ip_texts(spec) {
        let Some(ip) = findings.host_address("spec.clusterIPs", text) else {
            continue;
        };
        if ips.iter().any(|other| other.is_ipv4() == ip.is_ipv4()) {
            findings.error(format!(
                "has {ip} as a second cluster IP of its family; remove it from spec.clusterIPs"
            ));
            continue;
        }
        ips.push(ip);
    }
    ips
}

pub(super) fn cluster_ip_texts(spec: &Spec) -> impl Iterator<Item = &str> {
    let listed = spec.cluster_ips.iter().flatten();
    // The API keeps both fields equal; files may have only the older one.
    let single = spec.cluster_ip.iter().filter(|_| spec.cluster_ips.is_none());
    listed.chain(single).map(String::as_str).filter(|text| !text.is_empty())
}

/// Addresses of `spec.externalIPs`, of the families that `cluster_ips` have.
pub(super) fn external_ips(
    spec: &Spec,
    cluster_ips: &[IpAddr],
    findings: &mut Findings,
) -> Vec<IpAddr> {
    let texts = spec.external_ips.iter().flatten();
    let ips = texts.filter_map(|text| findings.routed_address("spec.externalIPs", text));
    of_families(ips, cluster_ips)
}

/// Addresses at which a load balancer hands packets on as they are, of the families that
/// `cluster_ips` have.
pub(super) fn load_balancer_ips(
    service: &Service,
    cluster_ips: &[IpAddr],
    findings: &mut Findings,
) -> Vec<IpAddr> {
    let status = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let entries = status.iter().flat_map(|status| status.ingress.iter().flatten());
    let ips = entries.filter_map(|entry| ingress_ip(entry, findings));
    of_families(ips, cluster_ips)
}

/// The clients that load balancers' addresses let in. Nothing where ranges are named and none can be
/// read: then they let in nobody.
pub(super) fn source_ranges(spec: &Spec, findings: &mut Findings) -> Option<Vec<IpNetwork>> {
    const FIELD: &str = "spec.loadBalancerSourceRanges";
    let texts = spec.load_balancer_source_ranges.iter().flatten();
    let count = texts.clone().count();
    let ranges: Vec<_> = texts.filter_map(|text| findings.network(FIELD, text)).collect();
    (count == 0 || !ranges.is_empty()).then_some(ranges)
}

/// A load balancer in mode Proxy ends connections itself, so that nothing may shadow it.
fn ingress_ip(entry: &LoadBalancerIngress, findings: &mut Findings) -> Option<IpAddr> {
    const FIELD: &str = "status.loadBalancer.ingress";
    let text = entry.ip.as_deref().filter(|text| !text.is_empty())?;
    match entry.ip_mode.as_deref() {
        None | Some("VIP") => findings.routed_address(FIELD, text),
        Some("Proxy") => None,
        Some(other) => {
            findings.error(format!(
                "has {FIELD} {text} of ipMode \"{other}\", which is not served; use VIP or Proxy"
            ));
            None
        }
    }
}

/// Addresses of other families are nobody's fault: the API lists those of all for each.
fn of_families(ips: impl Iterator<Item = IpAddr>, cluster_ips: &[IpAddr]) -> Vec<IpAddr> {
    let mut served = Vec::new();
    for ip in ips {
        let is_of_family = cluster_ips.iter().any(|own| own.is_ipv4() == ip.is_ipv4());
        if is_of_family && !cluster_ips.contains(&ip) && !served.contains(&ip) {
            served.push(ip);
        }
    }
    served
}
