//! Services by chance that name an address and port of another.

use std::net::IpAddr;

use super::{
    feature::Feature,
    generate::Generator,
    service::{Family, Ingress, Kind, Service},
    state::State,
};

impl Generator {
    /// Has a new Service name an address and port of another one, which gets one address more of the
    /// kind, so that it can be asked at that too.
    pub(super) fn contest(&mut self, state: &mut State, service: &mut Service) {
        let spec = &service.spec;
        let is_fit = spec.external_ips.is_empty() && spec.has_addresses();
        if !is_fit || !self.has(Feature::Contests, 5) {
            return;
        }
        let others = state.services.values();
        let others: Vec<&Service> = others.filter(|it| !addresses(it).is_empty()).collect();
        if others.is_empty() {
            return;
        }
        let mut other = (*self.random.pick(&others)).clone();
        let (address, is_balanced) = *self.random.pick(&addresses(&other));
        let Some(more) = self.numbers.virtual_ips(&[Family::of(address)]) else { return };
        match is_balanced {
            true => other.status.load_balancer.ingress.extend(more.into_iter().map(ingress)),
            false => other.spec.external_ips.extend(more),
        }
        let port = self.random.pick(&other.spec.ports);
        (service.spec.ports[0].protocol, service.spec.ports[0].port) = (port.protocol, port.port);
        service.spec.ports.truncate(1);
        if service.spec.kind == Kind::LoadBalancer {
            service.status.load_balancer.ingress.push(ingress(address));
        } else {
            let policy = self.policy();
            service.spec.external_ips.push(address);
            service.spec.external_traffic_policy.get_or_insert(policy);
        }
        state.set_service(other);
    }
}

/// The addresses that others may name too, and whether they are a load balancer's.
fn addresses(service: &Service) -> Vec<(IpAddr, bool)> {
    let external = service.spec.external_ips.iter().map(|address| (*address, false));
    let balanced = service.status.load_balancer.ingress.iter().filter_map(|ingress| ingress.ip);
    external.chain(balanced.map(|address| (address, true))).collect()
}

fn ingress(address: IpAddr) -> Ingress {
    Ingress { ip: Some(address), ..Ingress::default() }
}
