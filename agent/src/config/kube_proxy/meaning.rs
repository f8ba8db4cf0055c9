//! What a document means for us, with kube-proxy's defaults.

use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::form::{Form, Given, LocalMode, Mode, Rules, Tracking};
use super::node_ports;
use super::survey::Wrong;
use crate::config::bind_address::{BindAddress, HEALTHZ_PORT, METRICS_PORT};
use crate::config::period::Period;
use crate::config::{Config, Conntrack, DetectLocal};

pub(super) fn config(form: &Form) -> Result<Config, Wrong> {
    let mode = form.mode.unwrap_or_default();
    let rules = rules(mode, form);
    // IPVS has it from the section of iptables.
    let masquerading = if mode == Mode::Ipvs { form.iptables.as_ref() } else { rules };
    let connection = form.client_connection.as_ref();
    let [healthz_bind_address, metrics_bind_address] = listening(form);
    let [sync_period, min_sync_period] = periods(mode, rules);
    Ok(Config {
        node_name: form.hostname_override.0.as_ref().map(|name| name.to_lowercase()),
        kubeconfig: connection.and_then(|connection| connection.kubeconfig.0.clone()),
        node_port_addresses: node_ports::addresses(mode, form),
        detect_local: detect_local(form)?,
        masquerade_all: masquerading.and_then(|rules| rules.masquerade_all).unwrap_or_default(),
        healthz_bind_address,
        metrics_bind_address,
        bind_address_hard_fail: form.bind_address_hard_fail.unwrap_or_default(),
        sync_period,
        min_sync_period,
        conntrack: conntrack(form.conntrack.as_ref()),
        ..Config::default()
    })
}

fn rules(mode: Mode, form: &Form) -> Option<&Rules> {
    match mode {
        Mode::Iptables => form.iptables.as_ref(),
        Mode::Ipvs => form.ipvs.as_ref(),
        Mode::Nftables => form.nftables.as_ref(),
    }
}

/// With a cluster CIDR kube-proxy goes by that. Without, and told nothing, it would know no pod: we
/// know our own.
fn detect_local(form: &Form) -> Result<DetectLocal, Wrong> {
    let interfaces = form.detect_local.as_ref();
    let cluster_cidrs = || {
        let networks = form.cluster_cidr.0.as_ref();
        networks.map(|networks| DetectLocal::ClusterCidrs(networks.0.clone()))
    };
    let Some(mode) = &form.detect_local_mode else {
        return Ok(cluster_cidrs().unwrap_or_default());
    };
    let missing = |field: &str| Wrong {
        at: mode.referenced,
        cause: format!("detectLocalMode needs detectLocal.{field}, which is empty; fill it in"),
    };
    match mode.value {
        LocalMode::Unset => Ok(cluster_cidrs().unwrap_or_default()),
        LocalMode::ClusterCidr => Ok(cluster_cidrs().unwrap_or(DetectLocal::None)),
        LocalMode::NodeCidr => Ok(DetectLocal::NodeCidr),
        LocalMode::BridgeInterface => interfaces
            .and_then(|interfaces| interfaces.bridge_interface.0.clone())
            .map(DetectLocal::BridgeInterface)
            .ok_or_else(|| missing("bridgeInterface")),
        LocalMode::InterfaceNamePrefix => interfaces
            .and_then(|interfaces| interfaces.interface_name_prefix.0.clone())
            .map(DetectLocal::InterfaceNamePrefix)
            .ok_or_else(|| missing("interfaceNamePrefix")),
    }
}

/// Where health and metrics are told: of the family of `bindAddress`, where nothing else is said.
fn listening(form: &Form) -> [SocketAddr; 2] {
    let Config { healthz_bind_address, metrics_bind_address, .. } = Config::default();
    let is_ipv6 = form.bind_address.0.is_some_and(|address| address.or_port(0).is_ipv6());
    let at = |given: &Given<BindAddress>, port, v4, v6: Ipv6Addr| {
        let usual = if is_ipv6 { (v6, port).into() } else { v4 };
        given.0.map_or(usual, |address| address.or_port(port))
    };
    let (any, loopback) = (Ipv6Addr::UNSPECIFIED, Ipv6Addr::LOCALHOST);
    [
        at(&form.healthz_bind_address, HEALTHZ_PORT, healthz_bind_address, any),
        at(&form.metrics_bind_address, METRICS_PORT, metrics_bind_address, loopback),
    ]
}

/// The period of syncs and the least time between two; 0 is as if nothing was said.
fn periods(mode: Mode, rules: Option<&Rules>) -> [Duration; 2] {
    let Config { sync_period, min_sync_period, .. } = Config::default();
    let min_sync_period = if mode == Mode::Ipvs { Duration::ZERO } else { min_sync_period };
    let Some(rules) = rules else { return [sync_period, min_sync_period] };
    let or = |given: &Given<Period>, usual| {
        let given = given.0.filter(|Period(span)| !span.is_zero());
        given.map_or(usual, |Period(span)| span)
    };
    [or(&rules.sync_period, sync_period), or(&rules.min_sync_period, min_sync_period)]
}

fn conntrack(tracking: Option<&Tracking>) -> Conntrack {
    let usual = Conntrack::default();
    let Some(given) = tracking else { return usual };
    let or = |given: &Given<Period>, usual| given.0.map_or(usual, |Period(span)| span);
    Conntrack {
        max_per_core: given.max_per_core.unwrap_or(usual.max_per_core),
        min: given.min.unwrap_or(usual.min),
        tcp_established_timeout: or(&given.tcp_established_timeout, usual.tcp_established_timeout),
        tcp_close_wait_timeout: or(&given.tcp_close_wait_timeout, usual.tcp_close_wait_timeout),
        tcp_be_liberal: given.tcp_be_liberal.unwrap_or(usual.tcp_be_liberal),
        udp_timeout: or(&given.udp_timeout, usual.udp_timeout),
        udp_stream_timeout: or(&given.udp_stream_timeout, usual.udp_stream_timeout),
    }
}
