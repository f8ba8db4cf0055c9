//! Settings of the kernel's connection tracking.

use std::time::Duration;

use serde::Deserialize;

use super::period;

/// What is written to the sysctls of connection tracking when the agent starts; of what is 0 or
/// false the sysctl is left as it is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Conntrack {
    /// How many flows are tracked at most, for each CPU (`nf_conntrack_max`).
    pub max_per_core: u32,
    /// How many flows are tracked at most, if the CPUs are few; counts with `max_per_core` alone.
    pub min: u32,
    /// How long an idle TCP connection is kept (`nf_conntrack_tcp_timeout_established`).
    #[serde(deserialize_with = "period::deserialize")]
    pub tcp_established_timeout: Duration,
    /// How long a TCP connection is kept of which one side is closed
    /// (`nf_conntrack_tcp_timeout_close_wait`).
    #[serde(deserialize_with = "period::deserialize")]
    pub tcp_close_wait_timeout: Duration,
    /// Whether segments out of the window are no reason to disown a connection
    /// (`nf_conntrack_tcp_be_liberal`).
    pub tcp_be_liberal: bool,
    /// How long a UDP flow is kept that was never answered (`nf_conntrack_udp_timeout`).
    #[serde(deserialize_with = "period::deserialize")]
    pub udp_timeout: Duration,
    /// How long a UDP flow is kept that was answered (`nf_conntrack_udp_timeout_stream`).
    #[serde(deserialize_with = "period::deserialize")]
    pub udp_stream_timeout: Duration,
}

/// What kube-proxy sets where nothing is said.
impl Default for Conntrack {
    fn default() -> Self {
        Self {
            max_per_core: 32_768,
            min: 131_072,
            tcp_established_timeout: Duration::from_hours(24),
            tcp_close_wait_timeout: Duration::from_hours(1),
            tcp_be_liberal: false,
            udp_timeout: Duration::ZERO,
            udp_stream_timeout: Duration::ZERO,
        }
    }
}
