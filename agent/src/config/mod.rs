//! The file of `--config`: our own strict YAML, in which a key that is not known is an error, not a
//! guess; or the configuration of a kube-proxy, as it is.

mod bind_address;
mod conntrack;
mod delivery;
mod detect_local;
mod error;
mod header;
mod keep_client_ip;
mod kube_proxy;
mod log_level;
mod mode;
mod network_policy;
mod node_port_addresses;
mod period;
mod taken;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::devices::Selection;

use header::{Form, Header};

pub(crate) use bind_address::{healthz_address, metrics_address};
pub use conntrack::Conntrack;
pub use delivery::{Attach, Delivery};
pub use detect_local::DetectLocal;
pub use error::ConfigError;
pub use keep_client_ip::KeepClientIp;
pub use log_level::LogLevel;
pub use mode::{Mode, Vxlan};
pub use network_policy::{EnforcedBy, NetworkPolicy};
pub use node_port_addresses::{NodePortAddress, UnknownAddresses};
pub use taken::{LeftOut, Taken};

/// Settings of the file, with the values they have where it does not name them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// Name of this node's Node object, where the command line does not say.
    pub node_name: Option<String>,
    /// The file that leads to the API server, where the command line names no source of objects.
    pub kubeconfig: Option<PathBuf>,
    /// How pods of other nodes are reached; `--mode` goes before it.
    pub mode: Mode,
    /// The tunnel to other nodes.
    pub vxlan: Vxlan,
    /// Where the CNI plugin is, for the addresses of pods that died without DEL.
    pub cni_plugin: PathBuf,
    /// What is known of NetworkPolicies on this node.
    pub network_policy: NetworkPolicy,
    /// Whether the condition `NetworkUnavailable` of this node's Node is set to False, where it is
    /// there, once pods of other nodes are reached.
    pub set_node_network_unavailable: bool,
    /// How packets of translated flows reach their next hop.
    pub delivery: Delivery,
    /// How programs are attached to devices.
    pub attach: Attach,
    /// Which devices are served: patterns as `--devices` takes them.
    pub devices: Selection,
    /// What is logged, where the environment variable `RUST_LOG` does not say.
    pub log_level: LogLevel,
    /// Which flows from outside keep their client's address, though their traffic policy is Cluster.
    #[serde(rename = "keepClientIP")]
    pub keep_client_ip: KeepClientIp,
    /// At which addresses of the node its NodePorts are served: all that any entry means. Never
    /// empty.
    pub node_port_addresses: Vec<NodePortAddress>,
    /// Which senders to a cluster IP are pods, and so keep their address.
    pub detect_local: DetectLocal,
    /// Whether senders to a cluster IP are masqueraded even if they are pods.
    pub masquerade_all: bool,
    /// Where the proxy's health is told.
    #[serde(deserialize_with = "bind_address::healthz")]
    pub healthz_bind_address: SocketAddr,
    /// Where metrics are told.
    #[serde(deserialize_with = "bind_address::metrics")]
    pub metrics_bind_address: SocketAddr,
    /// Whether the agent ends where one of those two ports is taken, instead of trying it again.
    pub bind_address_hard_fail: bool,
    /// How often everything is looked after though nothing is heard; a change that waits for twice
    /// as long makes the proxy unhealthy.
    #[serde(deserialize_with = "period::positive")]
    pub sync_period: Duration,
    /// How much time goes by between two syncs at least.
    #[serde(deserialize_with = "period::deserialize")]
    pub min_sync_period: Duration,
    /// Settings of the kernel's connection tracking.
    pub conntrack: Conntrack,
}

/// Where kube-proxy has the setting too, its default.
impl Default for Config {
    fn default() -> Self {
        let (any, loopback) = (Ipv4Addr::UNSPECIFIED, Ipv4Addr::LOCALHOST);
        Self {
            node_name: None,
            kubeconfig: None,
            mode: Mode::default(),
            vxlan: Vxlan::default(),
            cni_plugin: "/opt/cni/bin/waggle-cni".into(),
            network_policy: NetworkPolicy::default(),
            set_node_network_unavailable: true,
            delivery: Delivery::default(),
            attach: Attach::default(),
            devices: Selection::default(),
            log_level: LogLevel::default(),
            keep_client_ip: KeepClientIp::default(),
            node_port_addresses: vec![NodePortAddress::Primary],
            detect_local: DetectLocal::default(),
            masquerade_all: false,
            healthz_bind_address: (any, bind_address::HEALTHZ_PORT).into(),
            metrics_bind_address: (loopback, bind_address::METRICS_PORT).into(),
            bind_address_hard_fail: false,
            sync_period: Duration::from_secs(30),
            min_sync_period: Duration::from_secs(1),
            conntrack: Conntrack::default(),
        }
    }
}

impl Config {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, is of no form that is known, or holds anything of a wrong kind.
    pub fn read(path: &Path) -> Result<Taken, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.into(), source })?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Taken, ConfigError> {
        if text.lines().all(|line| line.trim().is_empty() || line.trim().starts_with('#')) {
            return Ok(Taken::default());
        }
        let taken = match Header::read(path, text)?.form(path)? {
            Form::Own => Taken { config: own(path, text)?, left_out: Vec::new() },
            Form::KubeProxy => kube_proxy::parse(path, text)?,
        };
        Ok(taken.with_unheeded())
    }
}

/// Reads a file of our own form.
fn own(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| ConfigError::of_form(path, &error))
}

#[cfg(test)]
mod tests;
