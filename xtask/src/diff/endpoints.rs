//! Slices by chance.

use std::net::IpAddr;

use super::{
    feature::Feature,
    flows::FEW,
    generate::{Generator, OF_SLICES},
    places::{
        LOCAL_PODS, NODE, OTHER_NODE, OTHER_NODE_NAME, OTHER_ZONE, PRIMARY, Place, REMOTE_PODS,
        SECONDARY, ZONE, distant_pod,
    },
    probe::Protocol,
    service::{Family, Port, Service},
    slice::{Conditions, Endpoint, Hint, Hints, Slice, SlicePort},
    state::State,
};

/// Where endpoints listen.
const NUMBERS: [u16; 4] = [53, 80, 8080, 9376];

/// What hints name.
const ZONES: [&[&str]; 3] = [&[ZONE], &[OTHER_ZONE], &[ZONE, OTHER_ZONE]];

/// By what endpoints are preferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Preference {
    None,
    Zones,
    NodesAndZones,
}

impl Generator {
    /// Replaces the slices of a Service.
    pub(super) fn set_slices(&mut self, state: &mut State, service: &Service) {
        let name = service.metadata.name.clone();
        state.slices.retain(|_, slice| !slice.is_of(&name));
        let is_large = self.has(Feature::ManyEndpoints, 16);
        for family in [Family::IPv4, Family::IPv6] {
            let is_own = service.spec.ip_families.contains(&family);
            if is_own || self.has(Feature::OddSlices, 8) {
                let mut slices = self.slices(service, family);
                if let Some(slice) = slices.first_mut().filter(|_| is_large) {
                    self.crowd(slice, family);
                }
                slices.into_iter().for_each(|slice| state.set_slice(slice));
            }
        }
        if !is_large {
            trim(state, service);
        }
    }

    fn crowd(&mut self, slice: &mut Slice, family: Family) {
        let preference = self.preference();
        for number in 0..*self.random.pick(&[8, 16]) {
            slice.endpoints.push(self.endpoint(distant_pod(number), family, preference));
        }
    }

    fn slices(&mut self, service: &Service, family: Family) -> Vec<Slice> {
        let name = &service.metadata.name;
        let is_several = self.has(Feature::SeveralSlices, 2);
        let count = *self.random.pick(if is_several { &[2, 3][..] } else { &[0, 1, 1, 1, 1, 1] });
        let usual: Vec<SlicePort> =
            service.spec.ports.iter().map(|port| self.slice_port(port)).collect();
        let mut slices: Vec<Slice> = (1..=count)
            .map(|number| {
                let full = format!("{name}-{family:?}-{number}").to_lowercase();
                let mut slice = Slice::new(&full, name, family);
                slice.ports = self.slice_ports(service, &usual, is_several);
                self.turn_labels(&mut slice.metadata, OF_SLICES, 30);
                slice
            })
            .collect();
        if !slices.is_empty() {
            self.fill(&mut slices, family, is_several);
        }
        slices
    }

    fn slice_ports(
        &mut self,
        service: &Service,
        usual: &[SlicePort],
        is_several: bool,
    ) -> Vec<SlicePort> {
        let mut ports = usual.to_vec();
        if is_several && self.random.is_one_in(4) {
            let is_free = |port: &&mut SlicePort| port.protocol != Some(Protocol::Sctp);
            for (port, own) in ports.iter_mut().zip(&service.spec.ports).filter(|it| is_free(&it.0))
            {
                *port = self.slice_port(own);
            }
        }
        if is_several && ports.len() > 1 && self.random.is_one_in(4) {
            ports.pop();
        }
        if self.has(Feature::OddSlices, 12) {
            let chosen = self.random.below(ports.len());
            ports[chosen].port = None;
        }
        ports
    }

    /// The same name and protocol, which the API fills in where they are the usual ones.
    fn slice_port(&mut self, port: &Port) -> SlicePort {
        let Port { name, protocol, port, node_port } = port;
        let is_named = !name.is_empty() || self.random.is_one_in(2);
        let is_told = *protocol != Protocol::Tcp || self.random.is_one_in(2);
        SlicePort {
            name: is_named.then(|| name.clone()),
            protocol: is_told.then_some(*protocol),
            port: Some(match protocol {
                Protocol::Tcp | Protocol::Udp => *self.random.pick(&NUMBERS),
                // All of one are the same: where only some listen at its own they alone would serve.
                Protocol::Sctp => {
                    *self.random.pick(&[*port, *port, node_port.unwrap_or(*port), 9376])
                }
            }),
        }
    }

    fn fill(&mut self, slices: &mut [Slice], family: Family, is_several: bool) {
        let count = *self.random.pick(&[0, 1, 1, 1, 2, 2, 2, 3, 4]);
        let preference = self.preference();
        let mut pods: Vec<Place> = LOCAL_PODS.into_iter().chain(REMOTE_PODS).collect();
        if self.has(Feature::HostEndpoints, 4) {
            pods.extend([PRIMARY, SECONDARY, OTHER_NODE]);
        }
        self.random.shuffle(&mut pods);
        for pod in pods.into_iter().take(count) {
            let endpoint = self.endpoint(pod, family, preference);
            let chosen = self.random.below(slices.len());
            slices[chosen].endpoints.push(endpoint.clone());
            if is_several && self.random.is_one_in(3) {
                let again = self.random.below(slices.len());
                if again != chosen {
                    slices[again].endpoints.push(endpoint);
                }
            }
        }
    }

    /// One more endpoint, as those that are there are preferred by nothing.
    pub(super) fn endpoint_more(&mut self, family: Family) -> Endpoint {
        let pods: Vec<Place> = LOCAL_PODS.into_iter().chain(REMOTE_PODS).collect();
        let pod = *self.random.pick(&pods);
        self.endpoint(pod, family, Preference::None)
    }

    fn endpoint(&mut self, pod: Place, family: Family, preference: Preference) -> Endpoint {
        let address: IpAddr = match family {
            Family::IPv4 => pod.v4.into(),
            Family::IPv6 => pod.v6.into(),
        };
        let is_here = LOCAL_PODS.contains(&pod) || [PRIMARY, SECONDARY].contains(&pod);
        let (node, zone) = if is_here { (NODE, ZONE) } else { (OTHER_NODE_NAME, OTHER_ZONE) };
        let is_told = !self.has(Feature::NoNodeNames, 6);
        Endpoint {
            addresses: vec![address],
            conditions: self.conditions(),
            node_name: is_told.then(|| node.to_owned()),
            zone: self.random.is_one_in(2).then(|| zone.to_owned()),
            hints: self.hints(preference, node),
        }
    }

    /// Any of them, the usual one most often.
    pub(super) fn conditions(&mut self) -> Conditions {
        if !self.has(Feature::Conditions, 2) {
            let all = Conditions { ready: Some(true), serving: Some(true), terminating: None };
            return *self.random.pick(&[Conditions::default(), all]);
        }
        let mut any = || *self.random.pick(&[None, Some(true), Some(false), Some(false)]);
        let (ready, serving) = (any(), any());
        Conditions { ready, serving, terminating: any().map(|is_not| !is_not) }
    }

    fn preference(&mut self) -> Preference {
        if !self.has(Feature::Hints, 2) {
            return Preference::None;
        }
        *self.random.pick(&[Preference::Zones, Preference::NodesAndZones])
    }

    fn hints(&mut self, preference: Preference, node: &str) -> Hints {
        let named = |name: &str| Hint { name: name.to_owned() };
        if preference == Preference::None || self.random.is_one_in(12) {
            return Hints::default();
        }
        let zones = *self.random.pick(&ZONES);
        let for_nodes = match preference {
            Preference::NodesAndZones if !self.random.is_one_in(12) => vec![named(node)],
            Preference::None | Preference::Zones | Preference::NodesAndZones => Vec::new(),
        };
        Hints { for_zones: zones.iter().map(|zone| named(zone)).collect(), for_nodes }
    }
}

/// Whether a ServicePort has so many endpoints of one family that few flows do not tell who they are.
pub(super) fn is_large(state: &State, service: &Service) -> bool {
    service.spec.ports.iter().any(|port| {
        let all = state.endpoints(&service.metadata.name, &port.name, port.protocol);
        let of_v4 = all.iter().filter(|endpoint| endpoint.is_ipv4()).count();
        of_v4 > FEW || all.len() - of_v4 > FEW
    })
}

/// Takes endpoints away until few flows tell who they are.
pub(super) fn trim(state: &mut State, service: &Service) {
    let name = &service.metadata.name;
    while is_large(state, service) {
        let slices = state.slices.values_mut().filter(|slice| slice.is_of(name));
        let Some(fullest) = slices.max_by_key(|slice| slice.endpoints.len()) else { return };
        fullest.endpoints.pop();
    }
}
