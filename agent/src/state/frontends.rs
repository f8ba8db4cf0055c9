//! The frontends that a Service names.

use std::iter;
use std::net::IpAddr;

use dataplane_common::abi::{Addr, Family, FrontendKey, FrontendKind, Port, ServiceFlags};

use crate::config::KeepClientIp;
use crate::model::{PortSpec, Role, ServicePortName, ServiceSpec, any_node};

/// The frontends of a Service, with the ServicePort each leads to.
pub(super) fn frontends(
    spec: &ServiceSpec,
) -> impl Iterator<Item = (FrontendKey, Role, ServicePortName)> {
    spec.ports.iter().flat_map(move |port| {
        let PortSpec { name, protocol, .. } = port;
        keys(spec, port).map(move |(key, role)| {
            let (service, port) = (spec.name.clone(), name.clone());
            (key, role, ServicePortName { service, port, protocol: *protocol })
        })
    })
}

fn keys(spec: &ServiceSpec, port: &PortSpec) -> impl Iterator<Item = (FrontendKey, Role)> {
    let exact = [
        (Role::ClusterIp, &spec.cluster_ips),
        (Role::LoadBalancer, &spec.load_balancer_ips),
        (Role::ExternalIp, &spec.external_ips),
    ];
    let exact = exact.into_iter().flat_map(move |(role, ips)| {
        let number = port.port;
        ips.iter().map(move |ip| (Addr::from(*ip), number, FrontendKind::Exact, role))
    });
    let node_ports = port.node_port.into_iter().flat_map(move |number| {
        let families = spec.cluster_ips.iter().map(|ip| any_node(family_of(*ip)));
        families.zip(iter::repeat(number))
    });
    let node_ports =
        node_ports.map(|(addr, number)| (addr, number, FrontendKind::AnyNode, Role::NodePort));
    exact.chain(node_ports).map(move |(addr, number, kind, role)| {
        let proto = port.protocol.proto();
        (FrontendKey { addr, port: Port::new(number), proto, kind: kind.number() }, role)
    })
}

/// A frontend's switches.
pub(super) fn flags(
    spec: &ServiceSpec,
    role: Role,
    keep: KeepClientIp,
    has_sources: bool,
) -> ServiceFlags {
    let when = |is_set, flag| if is_set { flag } else { ServiceFlags::default() };
    if role == Role::ClusterIp {
        return when(spec.internal_local, ServiceFlags::INTERNAL_LOCAL);
    }
    // Where the policy is Local every client's address is kept already.
    let keeps = keep == KeepClientIp::Local && !spec.external_local;
    ServiceFlags::EXTERNAL
        .union(when(spec.external_local, ServiceFlags::EXTERNAL_LOCAL))
        .union(when(keeps, ServiceFlags::KEEP_CLIENT))
        .union(when(has_sources && role == Role::LoadBalancer, ServiceFlags::SOURCE_RANGES))
}

pub(super) const fn family_of(ip: IpAddr) -> Family {
    if ip.is_ipv4() { Family::V4 } else { Family::V6 }
}
