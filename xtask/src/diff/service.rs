//! A Service as the API has it: what a proxy reads, and what the API wants with that.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};

use super::probe::Protocol;

/// The label of a Service that is another proxy's (KEP-2447).
pub(super) const ANOTHERS: &str = "service.kubernetes.io/service-proxy-name";

/// The label of what has no address of its own.
pub(super) const HEADLESS: &str = "service.kubernetes.io/headless";

/// The object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "apiVersion", rename = "v1")]
pub(super) struct Service {
    pub(super) metadata: Metadata,
    pub(super) spec: Spec,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) status: Status,
}

/// Of any object; its namespace is its state's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Metadata {
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) labels: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec {
    #[serde(rename = "type")]
    pub(super) kind: Kind,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) external_name: Option<String>,
    /// An address or `None`, as the first of the next field.
    #[serde(rename = "clusterIP", default, skip_serializing_if = "is_default")]
    pub(super) cluster_ip: Option<String>,
    #[serde(rename = "clusterIPs", default, skip_serializing_if = "is_default")]
    pub(super) cluster_ips: Vec<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) ip_families: Vec<Family>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) ip_family_policy: Option<FamilyPolicy>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) ports: Vec<Port>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) session_affinity: Option<Affinity>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) internal_traffic_policy: Option<Policy>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) external_traffic_policy: Option<Policy>,
    #[serde(rename = "externalIPs", default, skip_serializing_if = "is_default")]
    pub(super) external_ips: Vec<IpAddr>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) load_balancer_source_ranges: Vec<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) allocate_load_balancer_node_ports: Option<bool>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) health_check_node_port: Option<u16>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    #[default]
    ClusterIP,
    NodePort,
    LoadBalancer,
    ExternalName,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Family {
    IPv4,
    IPv6,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum FamilyPolicy {
    SingleStack,
    RequireDualStack,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Affinity {
    None,
    ClientIP,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Policy {
    Cluster,
    Local,
}

/// Where endpoints listen stands in their slices: no proxy reads `targetPort`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Port {
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) name: String,
    pub(super) protocol: Protocol,
    pub(super) port: u16,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) node_port: Option<u16>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    pub(super) load_balancer: LoadBalancer,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LoadBalancer {
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) ingress: Vec<Ingress>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ingress {
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) ip: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) hostname: Option<String>,
    /// Only beside `ip`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) ip_mode: Option<IpMode>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum IpMode {
    Vip,
    #[serde(rename = "Proxy")]
    Proxy,
}

/// Whether the API may be left to fill a field in.
pub(super) fn is_default<T: Default + PartialEq>(field: &T) -> bool {
    *field == T::default()
}

impl Family {
    /// That of an address.
    pub(super) fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::IPv4 } else { Self::IPv6 }
    }
}

impl Service {
    /// Whether a label gives it to another proxy.
    pub(super) fn is_anothers(&self) -> bool {
        self.metadata.labels.contains_key(ANOTHERS)
    }

    /// Takes what the API does not let one of its type have.
    pub(super) fn prune(&mut self) {
        let Self { metadata: _, spec, status } = self;
        if spec.kind == Kind::ExternalName {
            spec.set_addresses(&[]);
            spec.internal_traffic_policy = None;
            spec.session_affinity = None;
        } else {
            spec.external_name = None;
        }
        if spec.kind != Kind::LoadBalancer {
            status.load_balancer.ingress.clear();
            spec.load_balancer_source_ranges.clear();
            spec.allocate_load_balancer_node_ports = None;
        }
        if !spec.has_node_ports() {
            spec.ports.iter_mut().for_each(|port| port.node_port = None);
        }
        if !spec.is_external() {
            spec.external_traffic_policy = None;
        }
        if !spec.is_watched() {
            spec.health_check_node_port = None;
        }
    }
}

impl Spec {
    /// The cluster IPs that are addresses.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.cluster_ips.iter().filter_map(|text| text.parse().ok())
    }

    /// Whether clients stay with their backend.
    pub(super) fn is_sticky(&self) -> bool {
        self.session_affinity == Some(Affinity::ClientIP)
    }

    /// Whether it has cluster IPs that are addresses.
    pub(super) fn has_addresses(&self) -> bool {
        self.addresses().next().is_some()
    }

    /// Gives it these, with all that the API wants to go with them.
    pub(super) fn set_addresses(&mut self, addresses: &[IpAddr]) {
        self.cluster_ips = addresses.iter().map(ToString::to_string).collect();
        self.cluster_ip = self.cluster_ips.first().cloned();
        self.ip_families = addresses.iter().map(|address| Family::of(*address)).collect();
        self.ip_family_policy = match addresses {
            [] => None,
            [_] => Some(FamilyPolicy::SingleStack),
            _ => Some(FamilyPolicy::RequireDualStack),
        };
    }

    /// Makes it headless, for endpoints of IPv4.
    pub(super) fn set_headless(&mut self) {
        self.cluster_ip = Some("None".to_owned());
        self.cluster_ips = vec!["None".to_owned()];
        self.ip_families = vec![Family::IPv4];
        self.ip_family_policy = Some(FamilyPolicy::SingleStack);
    }

    /// Whether the API wants it to have NodePorts.
    pub(super) fn has_node_ports(&self) -> bool {
        match self.kind {
            Kind::NodePort => true,
            Kind::LoadBalancer => self.allocate_load_balancer_node_ports != Some(false),
            Kind::ClusterIP | Kind::ExternalName => false,
        }
    }

    /// Whether the API lets it have an external policy.
    pub(super) fn is_external(&self) -> bool {
        match self.kind {
            Kind::NodePort | Kind::LoadBalancer => true,
            Kind::ClusterIP => !self.external_ips.is_empty(),
            Kind::ExternalName => false,
        }
    }

    /// Whether the API wants it to have a port for health checks.
    pub(super) fn is_watched(&self) -> bool {
        self.kind == Kind::LoadBalancer && self.external_traffic_policy == Some(Policy::Local)
    }
}
