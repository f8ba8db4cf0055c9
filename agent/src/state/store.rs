//! Every spec that is known, and which Services a change concerns. The only place that is written
//! to when objects change.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use dataplane_common::abi::{Family, FrontendKey, ServiceFlags};
use ipnetwork::IpNetwork;

use super::claims::Claims;
use super::frontends::{family_of, flags, frontends};
use super::sources::sources;
use super::{Desired, FamilyPort, Here, Needs, choose};
use crate::config::KeepClientIp;
use crate::k8s::{Kind, ObjectRef, Spec};
use crate::model::{
    Endpoint, EndpointSet, EndpointsSpec, Frontend, HealthCheck, Name, NodeSpec, Protocol, Role,
    ServiceCidrSpec, ServicePortName, ServiceSpec, SliceSpec,
};
use crate::problem::Problem;

/// The specs of a cluster, as one node sees them.
#[derive(Debug)]
pub struct Store {
    node: String,
    keep_client_ip: KeepClientIp,
    services: BTreeMap<Name, ServiceSpec>,
    slices: BTreeMap<Name, SliceSpec>,
    slices_of: BTreeMap<Name, BTreeSet<Name>>,
    endpoints: BTreeMap<Name, EndpointsSpec>,
    nodes: BTreeMap<String, NodeSpec>,
    service_cidrs: BTreeMap<String, ServiceCidrSpec>,
    network_policies: BTreeSet<Name>,
    /// Addresses that devices of this node hold.
    held: BTreeSet<IpAddr>,
    claims: Claims,
    dirty: Dirty,
}

/// What changed since it was last asked.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Dirty {
    /// Services that may have to be served otherwise.
    pub services: BTreeSet<Name>,
    /// Whether any Node changed.
    pub nodes: bool,
    /// Whether there are other [`Store::problems`].
    pub problems: bool,
}

impl Store {
    /// An empty store of the node of this name.
    #[must_use]
    pub fn new(node: &str, keep_client_ip: KeepClientIp) -> Self {
        Self {
            node: node.to_owned(),
            keep_client_ip,
            services: BTreeMap::new(),
            slices: BTreeMap::new(),
            slices_of: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            nodes: BTreeMap::new(),
            service_cidrs: BTreeMap::new(),
            network_policies: BTreeSet::new(),
            held: BTreeSet::new(),
            claims: Claims::default(),
            dirty: Dirty::default(),
        }
    }

    /// Makes an object be as `spec` says, or, with nothing in it that matters, not be.
    pub fn apply(&mut self, object: &ObjectRef, spec: Option<Spec>) {
        match spec {
            Some(Spec::Service(spec)) => self.put_service(&object.name, Some(spec)),
            Some(Spec::EndpointSlice(spec)) => self.put_slice(&object.name, Some(spec)),
            Some(Spec::Endpoints(spec)) => self.put_endpoints(&object.name, Some(spec)),
            Some(Spec::Node(spec)) => self.put_node(&object.name, Some(spec)),
            Some(Spec::ServiceCidr(spec)) => {
                replace(&mut self.service_cidrs, &object.name.name, Some(spec));
            }
            Some(Spec::NetworkPolicy) => {
                self.network_policies.insert(object.name.clone());
            }
            None => match object.kind {
                Kind::Service => self.put_service(&object.name, None),
                Kind::EndpointSlice => self.put_slice(&object.name, None),
                Kind::Endpoints => self.put_endpoints(&object.name, None),
                Kind::Node => self.put_node(&object.name, None),
                Kind::ServiceCidr => {
                    replace(&mut self.service_cidrs, &object.name.name, None);
                }
                Kind::NetworkPolicy => {
                    self.network_policies.remove(&object.name);
                }
            },
        }
    }

    /// Says which addresses devices of this node hold: cluster IPs among them are whoever's listens
    /// there, on this node. Says whether that concerns a Service.
    pub fn hold(&mut self, addresses: &BTreeSet<IpAddr>) -> bool {
        let moved: BTreeSet<_> = self.held.symmetric_difference(addresses).copied().collect();
        if moved.is_empty() {
            return false;
        }
        self.held.clone_from(addresses);
        let is_moved = |spec: &&ServiceSpec| spec.cluster_ips.iter().any(|ip| moved.contains(ip));
        let concerned = self.services.values().filter(is_moved).map(|spec| spec.name.clone());
        let concerned: BTreeSet<_> = concerned.collect();
        self.dirty.services.extend(concerned.iter().cloned());
        !concerned.is_empty()
    }

    /// What changed since the last call.
    pub fn take_dirty(&mut self) -> Dirty {
        std::mem::take(&mut self.dirty)
    }

    /// How a Service shall be served: nothing where it does not exist or has lost all frontends.
    #[must_use]
    pub fn desired(&self, service: &Name) -> BTreeMap<FamilyPort, Desired> {
        let Some(spec) = self.services.get(service) else {
            return BTreeMap::new();
        };
        let mut won: BTreeMap<FamilyPort, BTreeMap<FrontendKey, Frontend>> = BTreeMap::new();
        let own = self.nodes.get(&self.node);
        for (key, role, port) in frontends(spec) {
            let is_held = role == Role::ClusterIp && self.held.contains(&key.addr.to_ip());
            if !is_held && self.claims.winner(&key) == Some(&port) {
                let port = FamilyPort::of(port, &key);
                let has_sources = !sources(spec, port.family, own).is_empty();
                let flags = flags(spec, role, self.keep_client_ip, has_sources);
                // An external address that is a load balancer's too lets in whom that lets in.
                let frontends = won.entry(port).or_default();
                frontends.entry(key).or_insert(Frontend { role, flags });
            }
        }
        let affinity_seconds = spec.affinity_seconds;
        let desired = won.into_iter().map(|(port, frontends)| {
            let members = self.members(&port).filter(|member| port.is_served_by(member.at.port()));
            let backends = choose(members, self.here(), needs(frontends.values()));
            let unserved = self.members(&port).map(|member| member.at.port());
            let unserved = unserved.filter(|number| !port.is_served_by(*number)).collect();
            let mut flags = frontends.values().map(|frontend| frontend.flags);
            let sources = match flags.any(|flags| flags.has(ServiceFlags::SOURCE_RANGES)) {
                true => sources(spec, port.family, own),
                false => BTreeSet::new(),
            };
            let desired = Desired { frontends, backends, affinity_seconds, sources, unserved };
            (port, desired)
        });
        desired.collect()
    }

    /// A Service.
    #[must_use]
    pub fn service(&self, name: &Name) -> Option<&ServiceSpec> {
        self.services.get(name)
    }

    /// The node of this store, if it is known.
    #[must_use]
    pub fn own_node(&self) -> Option<&NodeSpec> {
        self.nodes.get(&self.node)
    }

    /// What load balancers ask this node about a Service, if they do.
    #[must_use]
    pub fn health_check(&self, service: &Name) -> Option<HealthCheck> {
        let spec = self.services.get(service)?;
        let families = spec.cluster_ips.iter().map(|ip| family_of(*ip));
        let local = families.map(|family| (family, self.ready_here(service, family))).collect();
        Some(HealthCheck { port: spec.health_check_port?, local })
    }

    /// How many addresses of this node are ready endpoints at any port.
    fn ready_here(&self, service: &Name, family: Family) -> usize {
        let sets = self.sets(service).filter(|set| !set.ports.is_empty());
        let is_ready_here = |endpoint: &&Endpoint<IpAddr>| {
            endpoint.ready && endpoint.node.as_ref() == Some(&self.node)
        };
        let here = sets.flat_map(|set| &set.endpoints).filter(is_ready_here);
        let here = here.map(|endpoint| endpoint.at).filter(|ip| family_of(*ip) == family);
        here.collect::<BTreeSet<_>>().len()
    }

    /// The lowest and the highest NodePort that shall be served.
    #[must_use]
    pub fn node_port_range(&self) -> Option<(u16, u16)> {
        self.claims.node_port_range()
    }

    /// The NodePorts that shall be served.
    #[must_use]
    pub fn node_ports(&self) -> BTreeSet<(u16, Protocol)> {
        self.claims.node_ports()
    }

    /// All nodes, this one among them.
    #[must_use]
    pub fn nodes(&self) -> &BTreeMap<String, NodeSpec> {
        &self.nodes
    }

    /// The networks that cluster IPs are taken from, as far as they are known.
    #[must_use]
    pub fn service_cidrs(&self) -> BTreeSet<IpNetwork> {
        self.service_cidrs.values().flat_map(|spec| &spec.networks).copied().collect()
    }

    /// The NetworkPolicies that there are.
    #[must_use]
    pub fn network_policies(&self) -> &BTreeSet<Name> {
        &self.network_policies
    }

    /// Services that do not get what they name, because another one has it.
    pub fn problems(&self) -> impl Iterator<Item = (Name, Problem)> {
        self.claims.problems()
    }

    fn put_service(&mut self, name: &Name, spec: Option<ServiceSpec>) {
        if self.services.get(name) == spec.as_ref() {
            return;
        }
        let moved = self.claims.replace(self.services.get(name), spec.as_ref());
        self.dirty.services.extend(moved.services);
        self.dirty.problems |= moved.contests;
        self.dirty.services.insert(name.clone());
        replace(&mut self.services, name, spec);
    }

    fn put_slice(&mut self, name: &Name, spec: Option<SliceSpec>) {
        if self.slices.get(name) == spec.as_ref() {
            return;
        }
        if let Some(old) = self.slices.get(name) {
            let service = Name::new(&name.namespace, &old.service);
            let slices = self.slices_of.entry(service.clone()).or_default();
            slices.remove(name);
            if slices.is_empty() {
                self.slices_of.remove(&service);
            }
            self.dirty.services.insert(service);
        }
        if let Some(new) = &spec {
            let service = Name::new(&name.namespace, &new.service);
            self.slices_of.entry(service.clone()).or_default().insert(name.clone());
            self.dirty.services.insert(service);
        }
        replace(&mut self.slices, name, spec);
    }

    fn put_endpoints(&mut self, name: &Name, spec: Option<EndpointsSpec>) {
        if self.endpoints.get(name) != spec.as_ref() {
            self.dirty.services.insert(name.clone());
            replace(&mut self.endpoints, name, spec);
        }
    }

    fn put_node(&mut self, name: &Name, spec: Option<NodeSpec>) {
        if self.nodes.get(&name.name) == spec.as_ref() {
            return;
        }
        if name.name == self.node {
            // Source ranges that let in this node are another matter.
            let ranged = self.services.values().filter(|spec| !spec.source_ranges.is_empty());
            self.dirty.services.extend(ranged.map(|spec| spec.name.clone()));
        }
        let zone = self.here().zone.map(str::to_owned);
        self.dirty.nodes = true;
        replace(&mut self.nodes, &name.name, spec);
        if self.here().zone != zone.as_deref() {
            let hinted = self.slices.values().filter(|slice| slice.set.has_hints());
            let service = |slice: &SliceSpec| Name::new(&slice.name.namespace, &slice.service);
            self.dirty.services.extend(hinted.map(service));
        }
    }

    fn here(&self) -> Here<'_> {
        let zone = self.nodes.get(&self.node).and_then(|node| node.zone.as_deref());
        Here { node: &self.node, zone }
    }

    /// All endpoints of a ServicePort in its family, as often as they are named.
    fn members(&self, port: &FamilyPort) -> impl Iterator<Item = Endpoint> {
        let FamilyPort { port, family, .. } = port;
        self.sets(&port.service).flat_map(move |set| members_of(set, port, *family))
    }

    /// Endpoints objects count where no slice does: the API mirrors them into slices.
    fn sets(&self, service: &Name) -> impl Iterator<Item = &EndpointSet> {
        let slices = self.slices_of.get(service);
        let legacy = self.endpoints.get(service).filter(|_| slices.is_none());
        let slices = slices.into_iter().flatten().filter_map(|name| self.slices.get(name));
        slices.map(|slice| &slice.set).chain(legacy.into_iter().flat_map(|spec| &spec.sets))
    }
}

fn members_of(
    set: &EndpointSet,
    port: &ServicePortName,
    family: Family,
) -> impl Iterator<Item = Endpoint> {
    let ports = set
        .ports
        .iter()
        .filter(|(name, protocol, _)| *name == port.port && *protocol == port.protocol);
    ports.flat_map(move |(_, _, number)| {
        let endpoints = set.endpoints.iter();
        endpoints.filter(move |endpoint| family_of(endpoint.at) == family).map(|endpoint| {
            let Endpoint { at, node, ready, serving, terminating, hints } = endpoint;
            Endpoint {
                at: SocketAddr::new(*at, *number),
                node: node.clone(),
                ready: *ready,
                serving: *serving,
                terminating: *terminating,
                hints: hints.clone(),
            }
        })
    })
}

fn needs<'a>(mut frontends: impl Iterator<Item = &'a Frontend>) -> Needs {
    let is_local = |flags: ServiceFlags| {
        flags.has(ServiceFlags::INTERNAL_LOCAL) || flags.has(ServiceFlags::EXTERNAL_LOCAL)
    };
    if frontends.any(|frontend| is_local(frontend.flags)) {
        Needs::ClusterAndLocal
    } else {
        Needs::Cluster
    }
}

fn replace<K: Ord + Clone, V>(map: &mut BTreeMap<K, V>, key: &K, value: Option<V>) {
    match value {
        Some(value) => map.insert(key.clone(), value),
        None => map.remove(key),
    };
}
