//! Services by chance, all of them such that an API server takes them.

use std::collections::BTreeMap;

use super::{
    feature::{Feature, Profile},
    numbers::Numbers,
    probe::Protocol,
    service::{
        ANOTHERS, Affinity, Family, HEADLESS, Ingress, IpMode, Kind, Metadata, Policy, Port,
        Service, Spec,
    },
    state::State,
};
use crate::random::Random;

/// Makes the objects of one cluster, and changes them.
#[derive(Debug)]
pub(super) struct Generator {
    pub(super) random: Random,
    profile: Profile,
    pub(super) numbers: Numbers,
    /// By Service: the API does not let one change, not even if it had none in the meantime.
    health_ports: BTreeMap<String, u16>,
    named: u16,
}

/// Labels that may lead an object past a proxy, and what has them in objects of a kind.
type Labels = [(&'static str, Feature); 2];

/// Those of Services.
pub(super) const OF_SERVICES: Labels =
    [(ANOTHERS, Feature::ForeignServices), (HEADLESS, Feature::HeadlessLabels)];

/// Those of slices.
pub(super) const OF_SLICES: Labels =
    [(ANOTHERS, Feature::ForeignSlices), (HEADLESS, Feature::HeadlessLabels)];

/// The families of Services of both.
const DUAL: [&[Family]; 2] = [&[Family::IPv4, Family::IPv6], &[Family::IPv6, Family::IPv4]];

/// Of ports of Services.
const PORTS: [u16; 4] = [53, 80, 443, 8080];

/// Ranges that let some senders in and others not.
const RANGES: [&str; 5] =
    ["203.0.113.16/29", "10.244.0.0/16", "192.168.88.0/24", "fd00:10:244::/48", "fdcb::10/125"];

impl Generator {
    /// The one of a round of a seed.
    pub(super) fn new(seed: u64, round: u64, profile: &Profile) -> Self {
        let mut random = Random::of_part(seed, round);
        let numbers = Numbers::new(&mut random);
        let (profile, health_ports) = (profile.clone(), BTreeMap::new());
        Self { random, profile, numbers, health_ports, named: 0 }
    }

    /// So many Services with their slices.
    pub(super) fn state(&mut self, services: u32) -> State {
        let mut state = State::default();
        for _ in 0..services {
            self.add(&mut state);
        }
        state
    }

    /// One Service more, while there are addresses.
    pub(super) fn add(&mut self, state: &mut State) {
        let Some(mut service) = self.service() else { return };
        self.share_addresses(state, &mut service);
        self.contest(state, &mut service);
        self.set_slices(state, &service);
        state.set_service(service);
    }

    /// True where a feature is on, once in so many times.
    pub(super) fn has(&mut self, feature: Feature, times: usize) -> bool {
        self.profile.has(feature) && self.random.is_one_in(times)
    }

    fn service(&mut self) -> Option<Service> {
        self.named += 1;
        // In the order of names, too, since that counts among what is made in one second.
        let name = format!("service-{:03}", self.named);
        let spec = Spec { kind: self.kind(), ports: self.ports(), ..Spec::default() };
        let mut service = Service {
            metadata: Metadata { name, ..Metadata::default() },
            spec,
            ..Service::default()
        };
        if self.has(Feature::OtherTypes, 12) {
            service.spec.kind = Kind::ExternalName;
            if self.random.is_one_in(2) {
                service.spec.kind = Kind::ClusterIP;
                service.spec.set_headless();
            }
        }
        self.turn_labels(&mut service.metadata, OF_SERVICES, 16);
        service.spec.session_affinity =
            self.has(Feature::Affinity, 6).then_some(Affinity::ClientIP);
        service.spec.internal_traffic_policy = Some(self.policy());
        service.spec.external_traffic_policy = Some(self.policy());
        self.settle(&mut service)?;
        if self.random.is_one_in(3) {
            self.turn_external_ips(&mut service);
        }
        self.turn_ingress(&mut service);
        Some(service)
    }

    /// Gives it addresses of another one, and ports that only it has, now and later.
    fn share_addresses(&mut self, state: &State, service: &mut Service) {
        let is_one = |it: &&Service| !it.spec.external_ips.is_empty();
        let others: Vec<&Service> = state.services.values().filter(is_one).collect();
        let is_fit = !others.is_empty() && service.spec.external_ips.is_empty();
        if !is_fit || !service.spec.has_addresses() || !self.has(Feature::SharedAddresses, 4) {
            return;
        }
        service.spec.external_ips.clone_from(&self.random.pick(&others).spec.external_ips);
        for port in &mut service.spec.ports {
            port.port += 20_000 + 100 * self.named;
        }
        let policy = self.policy();
        service.spec.external_traffic_policy.get_or_insert(policy);
    }

    /// A type of those with addresses.
    pub(super) fn kind(&mut self) -> Kind {
        let is_on = |feature| self.profile.has(feature);
        let balances = is_on(Feature::LoadBalancers);
        let kinds = match (is_on(Feature::NodePorts), balances) {
            (false, false) => &[Kind::ClusterIP][..],
            (true, false) => &[Kind::ClusterIP, Kind::NodePort],
            (_, true) => &[Kind::ClusterIP, Kind::NodePort, Kind::LoadBalancer],
        };
        *self.random.pick(kinds)
    }

    /// A policy, by default the one that the API has as default.
    pub(super) fn policy(&mut self) -> Policy {
        if self.has(Feature::Policies, 2) { Policy::Local } else { Policy::Cluster }
    }

    fn families(&mut self) -> &'static [Family] {
        if self.has(Feature::DualStack, 3) {
            return self.random.pick::<&[Family]>(&DUAL);
        }
        if self.has(Feature::Ipv6, 3) { &[Family::IPv6] } else { &[Family::IPv4] }
    }

    fn ports(&mut self) -> Vec<Port> {
        let port = |name: &str, protocol, port| Port {
            name: name.to_owned(),
            protocol,
            port,
            node_port: None,
        };
        let number = *self.random.pick(&PORTS);
        let protocol = match self.has(Feature::Sctp, 6) {
            true => Protocol::Sctp,
            false => *self.random.pick(&[Protocol::Tcp, Protocol::Udp]),
        };
        if !self.has(Feature::SeveralPorts, 3) {
            let name = *self.random.pick(&["", "main"]);
            return vec![port(name, protocol, number)];
        }
        let mut ports =
            vec![port("one", Protocol::Tcp, number), port("two", Protocol::Udp, number)];
        if self.random.is_one_in(2) {
            ports[1].port += 1;
        }
        if self.random.is_one_in(2) {
            ports.push(port("three", protocol, number + 2));
        }
        ports
    }

    /// Gives a Service what its type needs and takes what the API does not let it have.
    pub(super) fn settle(&mut self, service: &mut Service) -> Option<()> {
        service.prune();
        if service.spec.kind == Kind::LoadBalancer && self.has(Feature::NoNodePorts, 4) {
            service.spec.allocate_load_balancer_node_ports = Some(false);
        }
        let Service { metadata, spec, .. } = service;
        if spec.kind == Kind::ExternalName {
            spec.external_name = Some("elsewhere.example".to_owned());
        } else {
            spec.internal_traffic_policy.get_or_insert(Policy::Cluster);
            if spec.cluster_ip.is_none() {
                let families = self.families();
                spec.set_addresses(&self.numbers.cluster_ips(families)?);
            }
        }
        if spec.is_external() {
            spec.external_traffic_policy.get_or_insert(Policy::Cluster);
        }
        if spec.is_watched() && spec.health_check_node_port.is_none() {
            spec.health_check_node_port = Some(self.health_port(&metadata.name)?);
        }
        self.settle_node_ports(spec)
    }

    fn health_port(&mut self, service: &str) -> Option<u16> {
        if let Some(port) = self.health_ports.get(service) {
            return Some(*port);
        }
        let port = self.numbers.node_port()?;
        self.health_ports.insert(service.to_owned(), port);
        Some(port)
    }

    /// Two ports of one number share their NodePort too.
    fn settle_node_ports(&mut self, spec: &mut Spec) -> Option<()> {
        if !spec.has_node_ports() {
            spec.ports.iter_mut().for_each(|port| port.node_port = None);
            return Some(());
        }
        for index in 0..spec.ports.len() {
            let (before, rest) = spec.ports.split_at_mut(index);
            let Some(port) = rest.first_mut() else { continue };
            let twin = before.iter().find(|other| other.port == port.port);
            port.node_port = match (port.node_port, twin.and_then(|twin| twin.node_port)) {
                (Some(number), _) | (None, Some(number)) => Some(number),
                (None, None) => Some(self.numbers.node_port()?),
            };
        }
        Some(())
    }

    /// Gives it addresses that lead to it, or takes them.
    pub(super) fn turn_external_ips(&mut self, service: &mut Service) {
        if !self.profile.has(Feature::ExternalIps) || service.spec.kind == Kind::ExternalName {
            return;
        }
        let families = self.families();
        let addresses = match service.spec.external_ips.is_empty() {
            true => self.numbers.virtual_ips(families).unwrap_or_default(),
            false => Vec::new(),
        };
        service.spec.external_ips = addresses;
        let policy = self.policy();
        let policy = service.spec.external_traffic_policy.unwrap_or(policy);
        service.spec.external_traffic_policy = service.spec.is_external().then_some(policy);
    }

    /// Gives a load balancer addresses, or takes them.
    pub(super) fn turn_ingress(&mut self, service: &mut Service) {
        if service.spec.kind != Kind::LoadBalancer {
            return;
        }
        let ingress = &mut service.status.load_balancer.ingress;
        if !ingress.is_empty() {
            ingress.clear();
            return;
        }
        let mut families = service.spec.ip_families.clone();
        if self.has(Feature::OddLoadBalancers, 4) {
            families = vec![Family::IPv6, Family::IPv4];
        }
        let addresses = self.numbers.virtual_ips(&families).unwrap_or_default();
        *ingress = addresses.into_iter().map(|address| self.ingress(address)).collect();
        if self.has(Feature::OddLoadBalancers, 4) {
            let hostname = Some("balancer.example".to_owned());
            ingress.push(Ingress { hostname, ..Ingress::default() });
        }
        if self.has(Feature::SourceRanges, 2) {
            let ranges = (0..=self.random.below(2)).map(|_| *self.random.pick(&RANGES));
            service.spec.load_balancer_source_ranges = ranges.map(str::to_owned).collect();
        }
    }

    fn ingress(&mut self, address: std::net::IpAddr) -> Ingress {
        let is_odd = self.has(Feature::OddLoadBalancers, 4);
        let mode = if is_odd { IpMode::Proxy } else { IpMode::Vip };
        let ip_mode = (is_odd || self.random.is_one_in(2)).then_some(mode);
        Ingress { ip: Some(address), ip_mode, ..Ingress::default() }
    }

    /// Gives an object labels, or takes them, each once in so many times.
    pub(super) fn turn_labels(&mut self, metadata: &mut Metadata, labels: Labels, times: usize) {
        for (label, feature) in labels {
            if self.has(feature, times) && metadata.labels.remove(label).is_none() {
                metadata.labels.insert(label.to_owned(), "another".to_owned());
            }
        }
    }
}
