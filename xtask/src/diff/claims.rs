//! Who has an address and port that several Services name.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use super::{
    frontends::{Frontend, Role},
    probe::Protocol,
    service::{Family, IpMode, Port, Service},
    state::State,
};

/// A ServicePort: its Service, its name and its protocol.
pub(super) type ServicePort = (String, String, Protocol);

/// Those who name an address that any Service may name, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Claims(BTreeMap<(SocketAddr, Protocol), Vec<ServicePort>>);

impl Claims {
    /// Of all Services that are served, which are made in the order of their names.
    pub(super) fn of(state: &State) -> Self {
        let mut claims = Self::default();
        for (name, service) in &state.services {
            for port in &service.spec.ports {
                for address in addresses(service) {
                    let way = (SocketAddr::new(address, port.port), port.protocol);
                    let Port { name: port, protocol, .. } = port;
                    claims.0.entry(way).or_default().push((name.clone(), port.clone(), *protocol));
                }
            }
        }
        claims
    }

    /// Who has it.
    pub(super) fn owner(&self, frontend: Frontend, protocol: Protocol) -> Option<&ServicePort> {
        self.claimants(frontend, protocol).first()
    }

    /// Whether several name it.
    pub(super) fn is_contested(&self, frontend: Frontend, protocol: Protocol) -> bool {
        self.claimants(frontend, protocol).len() > 1
    }

    fn claimants(&self, frontend: Frontend, protocol: Protocol) -> &[ServicePort] {
        let Frontend { role, at } = frontend;
        let is_free = matches!(role, Role::ExternalIp | Role::LoadBalancer);
        let claimants = is_free.then(|| self.0.get(&(at, protocol))).flatten();
        claimants.map(Vec::as_slice).unwrap_or_default()
    }
}

/// The external and load balancer's addresses by which it is to be served.
fn addresses(service: &Service) -> impl Iterator<Item = IpAddr> {
    let balanced = service.status.load_balancer.ingress.iter();
    let balanced = balanced.filter(|it| it.ip_mode != Some(IpMode::Proxy)).filter_map(|it| it.ip);
    let all = service.spec.external_ips.iter().copied().chain(balanced);
    all.filter(|address| {
        let mut own = service.spec.addresses();
        !service.is_anothers() && own.any(|own| Family::of(own) == Family::of(*address))
    })
}
