//! Everything by which one could try to reach a ServicePort: what its Service names, whether a
//! proxy is to serve that or not.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

use super::{
    places::{LOCALHOST, PRIMARY, Place, SECONDARY},
    service::{Port, Service},
};

/// One address and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Frontend {
    pub(super) role: Role,
    pub(super) at: SocketAddr,
}

/// What a frontend is to its Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// An address of its own.
    ClusterIp,
    /// A port of the node's first addresses.
    NodePort,
    /// The same port of other addresses of the node.
    SecondaryNodePort,
    /// The same port of the node's loopback addresses.
    LocalhostNodePort,
    /// An address of a load balancer, in whatever mode.
    LoadBalancer,
    /// An address that its author lets lead to it.
    ExternalIp,
    /// A port of its own address that it has not.
    OtherPort,
    /// An address of those that cluster IPs are from, which no Service has that is served here.
    Unallocated,
}

/// Far from those that Services get.
const UNALLOCATED: Place = Place {
    v4: Ipv4Addr::new(10, 96, 250, 1),
    v6: Ipv6Addr::new(0xfd00, 0x10, 0x96, 0, 0, 0, 0, 0xfa01),
};

impl Role {
    /// As reports have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ClusterIp => "clusterIP",
            Self::NodePort => "nodePort",
            Self::SecondaryNodePort => "nodePort at a secondary address",
            Self::LocalhostNodePort => "nodePort at localhost",
            Self::LoadBalancer => "load balancer",
            Self::ExternalIp => "externalIP",
            Self::OtherPort => "other port of a clusterIP",
            Self::Unallocated => "unallocated clusterIP",
        }
    }
}

/// The frontends of one port of a Service.
pub(super) fn frontends(service: &Service, port: &Port) -> BTreeSet<Frontend> {
    let Service { metadata: _, spec, status } = service;
    let is_anothers = service.is_anothers();
    let own = spec.addresses().flat_map(|address| {
        let role = |role| if is_anothers { Role::Unallocated } else { role };
        [
            (role(Role::ClusterIp), address, port.port),
            (role(Role::OtherPort), address, port.port + 7),
            (Role::Unallocated, UNALLOCATED.like(address), port.port),
        ]
    });
    let external = spec.external_ips.iter().map(|address| (Role::ExternalIp, *address));
    let ingress = status.load_balancer.ingress.iter().filter_map(|ingress| ingress.ip);
    let ingress = ingress.map(|address| (Role::LoadBalancer, address));
    let exact = external.chain(ingress).map(|(role, address)| (role, address, port.port));
    let of_node = port.node_port.into_iter().flat_map(|number| {
        let at = move |role, place: Place| place.both().map(|address| (role, address, number));
        let others = at(Role::SecondaryNodePort, SECONDARY);
        at(Role::NodePort, PRIMARY)
            .into_iter()
            .chain(others)
            .chain(at(Role::LocalhostNodePort, LOCALHOST))
    });
    let all = own.chain(exact).chain(of_node);
    all.map(|(role, address, number)| Frontend { role, at: SocketAddr::new(address, number) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Role, frontends};
    use crate::diff::{
        probe::Protocol,
        service::{Ingress, Kind, Port, Service},
    };

    #[test]
    fn all_that_a_service_names_is_a_frontend() {
        let mut service = Service::default();
        service.spec.kind = Kind::LoadBalancer;
        service.spec.set_addresses(&["10.96.1.1".parse().unwrap()]);
        service.spec.external_ips = vec!["fdc6::9".parse().unwrap()];
        let ip = Some("198.51.100.7".parse().unwrap());
        let named = Ingress { hostname: Some("lb".to_owned()), ..Ingress::default() };
        service.status.load_balancer.ingress = vec![Ingress { ip, ..Ingress::default() }, named];
        let port = Port {
            name: String::new(),
            protocol: Protocol::Tcp,
            port: 80,
            node_port: Some(30_080),
        };
        let found: Vec<_> =
            frontends(&service, &port).iter().map(|it| (it.role, it.at.to_string())).collect();
        let expected = [
            (Role::ClusterIp, "10.96.1.1:80"),
            (Role::NodePort, "192.168.88.11:30080"),
            (Role::NodePort, "[fd88::11]:30080"),
            (Role::SecondaryNodePort, "192.168.89.11:30080"),
            (Role::SecondaryNodePort, "[fd89::11]:30080"),
            (Role::LocalhostNodePort, "127.0.0.1:30080"),
            (Role::LocalhostNodePort, "[::1]:30080"),
            (Role::LoadBalancer, "198.51.100.7:80"),
            (Role::ExternalIp, "[fdc6::9]:80"),
            (Role::OtherPort, "10.96.1.1:87"),
            (Role::Unallocated, "10.96.250.1:80"),
        ];
        assert_eq!(found, expected.map(|(role, at)| (role, at.to_owned())));
    }
}
