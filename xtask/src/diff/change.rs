//! Changes by chance.

use super::{
    endpoints::{is_large, trim},
    feature::Feature,
    generate::{Generator, OF_SERVICES},
    service::{Affinity, Kind, Policy, Service},
    slice::Slice,
    state::State,
};

/// One kind of change to a Service, or to its slices.
type Edit = fn(&mut Generator, &mut State, &Service);

const EDITS: [Edit; 15] = [
    |generator, state, _| generator.add(state),
    |_, state, service| state.remove(&service.metadata.name),
    |_, state, service| drop(state.services.remove(&service.metadata.name)),
    |generator, state, service| generator.set_slices(state, service),
    retype,
    turn_affinity,
    turn_internal_policy,
    turn_external_policy,
    renumber,
    turn_external_ips,
    turn_ingress,
    turn_labels,
    turn_conditions,
    add_endpoint,
    remove_endpoints,
];

impl Generator {
    /// Makes so many changes.
    pub(super) fn change(&mut self, state: &mut State, edits: usize) {
        for _ in 0..edits {
            let services: Vec<&Service> = state.services.values().collect();
            if services.is_empty() {
                return self.add(state);
            }
            let service = (*self.random.pick(&services)).clone();
            let edit = *self.random.pick(&EDITS);
            edit(self, state, &service);
        }
    }

    fn keep(&mut self, state: &mut State, mut service: Service) {
        if self.settle(&mut service).is_some() {
            state.set_service(service);
        }
    }
}

fn retype(generator: &mut Generator, state: &mut State, service: &Service) {
    let mut service = service.clone();
    let is_headless = service.spec.cluster_ip.as_deref() == Some("None");
    if is_headless {
        return;
    }
    if service.spec.kind == Kind::ExternalName {
        // With another address it may have to be made anew, and then it would be the youngest.
        service.spec.external_ips.clear();
    }
    service.spec.kind = match generator.has(Feature::OtherTypes, 6) {
        true => Kind::ExternalName,
        false => generator.kind(),
    };
    if generator.settle(&mut service).is_some() {
        generator.turn_ingress(&mut service);
        state.set_service(service);
    }
}

fn turn(policy: Policy) -> Policy {
    match policy {
        Policy::Cluster => Policy::Local,
        Policy::Local => Policy::Cluster,
    }
}

fn turn_affinity(generator: &mut Generator, state: &mut State, service: &Service) {
    let mut service = service.clone();
    if generator.has(Feature::Affinity, 1) {
        let is_sticky = service.spec.is_sticky();
        service.spec.session_affinity =
            Some(if is_sticky { Affinity::None } else { Affinity::ClientIP });
        generator.keep(state, service);
    }
}

fn turn_internal_policy(generator: &mut Generator, state: &mut State, service: &Service) {
    let mut service = service.clone();
    if generator.has(Feature::Policies, 1) {
        let policy = &mut service.spec.internal_traffic_policy;
        *policy = policy.map(turn);
        state.set_service(service);
    }
}

fn turn_external_policy(generator: &mut Generator, state: &mut State, service: &Service) {
    let mut service = service.clone();
    if generator.has(Feature::Policies, 1) {
        let policy = &mut service.spec.external_traffic_policy;
        *policy = policy.map(turn);
        generator.keep(state, service);
    }
}

/// Another port, and another NodePort.
fn renumber(generator: &mut Generator, state: &mut State, service: &Service) {
    let mut service = service.clone();
    let chosen = generator.random.below(service.spec.ports.len());
    let taken: Vec<u16> = service.spec.ports.iter().map(|port| port.port).collect();
    let port = &mut service.spec.ports[chosen];
    if generator.random.is_one_in(2) {
        port.port += 10;
    }
    if !taken.contains(&port.port) || generator.random.is_one_in(2) {
        port.node_port = None;
    }
    generator.keep(state, service);
}

fn turn_external_ips(generator: &mut Generator, state: &mut State, service: &Service) {
    let mut service = service.clone();
    generator.turn_external_ips(&mut service);
    generator.keep(state, service);
}

fn turn_ingress(generator: &mut Generator, state: &mut State, service: &Service) {
    let mut service = service.clone();
    generator.turn_ingress(&mut service);
    generator.keep(state, service);
}

fn turn_labels(generator: &mut Generator, state: &mut State, service: &Service) {
    let mut service = service.clone();
    generator.turn_labels(&mut service.metadata, OF_SERVICES, 2);
    state.set_service(service);
}

/// Those of one address, in whichever slices it is: proxies need not agree about one of which two
/// slices say different things.
fn turn_conditions(generator: &mut Generator, state: &mut State, service: &Service) {
    let conditions = generator.conditions();
    let Some(chosen) = generator.endpoint_of(state, service) else { return };
    let Some(address) = chosen.endpoints.first().map(|endpoint| endpoint.addresses.clone()) else {
        return;
    };
    let slices = state.slices.values_mut().filter(|slice| slice.is_of(&service.metadata.name));
    let endpoints = slices.flat_map(|slice| &mut slice.endpoints);
    for endpoint in endpoints.filter(|endpoint| endpoint.addresses == address) {
        endpoint.conditions = conditions;
    }
}

fn add_endpoint(generator: &mut Generator, state: &mut State, service: &Service) {
    let Some(mut slice) = generator.slice_of(state, service) else { return };
    let endpoint = generator.endpoint_more(slice.address_type);
    let all = state.slices_of(&service.metadata.name).flat_map(|slice| &slice.endpoints);
    if all.into_iter().any(|other| other.addresses == endpoint.addresses) {
        return;
    }
    let was_large = is_large(state, service);
    slice.endpoints.push(endpoint);
    state.set_slice(slice);
    if !was_large {
        trim(state, service);
    }
}

/// One, all, or the slice with them.
fn remove_endpoints(generator: &mut Generator, state: &mut State, service: &Service) {
    let Some(mut slice) = generator.slice_of(state, service) else { return };
    match generator.random.below(4) {
        0 => {
            state.slices.remove(&slice.metadata.name);
            return;
        }
        1 => slice.endpoints.clear(),
        _ => {
            slice.endpoints.pop();
        }
    }
    state.set_slice(slice);
}

impl Generator {
    fn slice_of(&mut self, state: &State, service: &Service) -> Option<Slice> {
        let slices: Vec<&Slice> = state.slices_of(&service.metadata.name).collect();
        if slices.is_empty() { None } else { Some((*self.random.pick(&slices)).clone()) }
    }

    /// A slice whose first endpoint is one by chance.
    fn endpoint_of(&mut self, state: &State, service: &Service) -> Option<Slice> {
        let mut slice = self.slice_of(state, service)?;
        self.random.shuffle(&mut slice.endpoints);
        Some(slice)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Generator, State};
    use crate::diff::{
        feature::{Feature, Named, Profile},
        service::{Family, Service},
    };

    fn history(seed: u64, profile: &Profile) -> Vec<State> {
        let mut generator = Generator::new(seed, 3, profile);
        let mut state = generator.state(50);
        let mut states = vec![state.clone()];
        for _ in 0..5 {
            generator.change(&mut state, 12);
            states.push(state.clone());
        }
        states
    }

    #[test]
    fn a_seed_repeats_its_objects() {
        for named in [Named::Tiny, Named::All] {
            let profile = Profile::new(named, &[], &[]);
            assert_eq!(history(7, &profile), history(7, &profile), "{named:?}");
            assert_ne!(history(7, &profile), history(8, &profile), "{named:?}");
        }
    }

    #[test]
    fn no_service_port_has_more_endpoints_than_few_flows_can_tell() {
        let profile = Profile::new(Named::All, &[], &[Feature::ManyEndpoints]);
        for state in (0..20).flat_map(|seed| history(seed, &profile)) {
            for (name, service) in &state.services {
                for port in &service.spec.ports {
                    let all = state.endpoints(name, &port.name, port.protocol);
                    let of_v4 = all.iter().filter(|endpoint| endpoint.is_ipv4()).count();
                    assert!(of_v4 <= 4 && all.len() - of_v4 <= 4, "{name}: {all:?}");
                }
            }
        }
    }

    #[test]
    fn no_two_services_share_an_address_or_a_node_port() {
        let addresses = |service: &Service| -> Vec<String> {
            let ingress = service.status.load_balancer.ingress.iter().filter_map(|it| it.ip);
            let ports: BTreeSet<u16> =
                service.spec.ports.iter().filter_map(|port| port.node_port).collect();
            let texts = service.spec.addresses().chain(ingress).map(|it| it.to_string());
            let external = service.spec.external_ips.iter().flat_map(|address| {
                let ports: BTreeSet<u16> = service.spec.ports.iter().map(|it| it.port).collect();
                ports.into_iter().map(move |port| format!("{address} {port}"))
            });
            texts.chain(external).chain(ports.iter().map(u16::to_string)).collect()
        };
        let profile = Profile::new(Named::All, &[], &[Feature::Contests]);
        for state in (0..20).flat_map(|seed| history(seed, &profile)) {
            let all: Vec<String> = state.services.values().flat_map(addresses).collect();
            let distinct: BTreeSet<&String> = all.iter().collect();
            assert_eq!(all.len(), distinct.len(), "{all:?}");
        }
    }

    #[test]
    fn a_tiny_profile_has_nothing_of_ipv6() {
        let profile = Profile::new(Named::Tiny, &[], &[]);
        for state in history(1, &profile) {
            assert!(state.slices.values().all(|slice| slice.address_type == Family::IPv4));
        }
    }
}
