//! The fields that have an effect, as they stand in a document.

use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

use ipnetwork::IpNetwork;
use serde::{Deserialize, Deserializer, de};
use serde_saphyr::Spanned;

use crate::config::NodePortAddress;
use crate::config::bind_address::BindAddress;
use crate::config::period::Period;

/// A text that is something else, or empty as if nothing was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Given<T>(pub(super) Option<T>);

impl<T> Default for Given<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
        let text = text.trim();
        let given = (!text.is_empty()).then(|| text.parse()).transpose();
        given.map(Self).map_err(de::Error::custom)
    }
}

/// The whole document.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Form {
    pub(super) bind_address: Given<BindAddress>,
    pub(super) bind_address_hard_fail: Option<bool>,
    pub(super) client_connection: Option<ClientConnection>,
    #[serde(rename = "clusterCIDR")]
    pub(super) cluster_cidr: Given<Networks>,
    pub(super) conntrack: Option<Tracking>,
    pub(super) detect_local: Option<Interfaces>,
    pub(super) detect_local_mode: Option<Spanned<LocalMode>>,
    pub(super) healthz_bind_address: Given<BindAddress>,
    pub(super) hostname_override: Given<String>,
    pub(super) iptables: Option<Rules>,
    pub(super) ipvs: Option<Rules>,
    pub(super) metrics_bind_address: Given<BindAddress>,
    pub(super) mode: Option<Mode>,
    pub(super) nftables: Option<Rules>,
    pub(super) node_port_addresses: Option<Vec<NodePortAddress>>,
}

/// How the API server is reached.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ClientConnection {
    pub(super) kubeconfig: Given<PathBuf>,
}

/// Settings of connection tracking.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Tracking {
    pub(super) max_per_core: Option<u32>,
    pub(super) min: Option<u32>,
    pub(super) tcp_be_liberal: Option<bool>,
    pub(super) tcp_close_wait_timeout: Given<Period>,
    pub(super) tcp_established_timeout: Given<Period>,
    pub(super) udp_stream_timeout: Given<Period>,
    pub(super) udp_timeout: Given<Period>,
}

/// Devices of pods.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Interfaces {
    pub(super) bridge_interface: Given<String>,
    pub(super) interface_name_prefix: Given<String>,
}

/// Settings of one mode.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Rules {
    pub(super) localhost_node_ports: Option<bool>,
    pub(super) masquerade_all: Option<bool>,
    pub(super) min_sync_period: Given<Period>,
    pub(super) sync_period: Given<Period>,
}

/// What a kube-proxy works with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    #[default]
    #[serde(alias = "")]
    Iptables,
    Ipvs,
    Nftables,
}

/// By what pods are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
pub(super) enum LocalMode {
    #[default]
    #[serde(rename = "")]
    Unset,
    #[serde(rename = "ClusterCIDR")]
    ClusterCidr,
    #[serde(rename = "NodeCIDR")]
    NodeCidr,
    BridgeInterface,
    InterfaceNamePrefix,
}

/// Networks with commas between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Networks(pub(super) Vec<IpNetwork>);

/// A text that is no network.
#[derive(Debug, thiserror::Error)]
#[error("\"{0}\" is no network; write it as 10.0.0.0/8")]
pub(super) struct NoNetwork(String);

impl FromStr for Networks {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let networks = text.split(',').map(|part| {
            let network = part.trim().parse().ok().filter(|_| part.contains('/'));
            network.ok_or_else(|| NoNetwork(part.to_owned()))
        });
        networks.collect::<Result<_, _>>().map(Self)
    }
}
