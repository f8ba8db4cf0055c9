//! Forwarding between devices, for the families that pods have.

use std::collections::BTreeSet;

use hostnet::{Result, sysctl};
use ipnetwork::IpNetwork;
use tracing::info;

use crate::problem::Problem;

const V4: &str = "net/ipv4/ip_forward";
const V6: &str = "net/ipv6/conf/all/forwarding";

/// Lets the host forward, where it does not.
pub(crate) fn ensure(pod_cidrs: &[IpNetwork]) -> BTreeSet<Problem> {
    let v4 = pod_cidrs.iter().any(IpNetwork::is_ipv4).then(|| (V4, switch_on(V4)));
    let v6 = pod_cidrs.iter().any(IpNetwork::is_ipv6).then(|| (V6, switch_on_v6()));
    let failed = v4.into_iter().chain(v6).filter_map(|(key, result)| Some((key, result.err()?)));
    failed.map(|(key, error)| Problem::error(format!("sysctl {key}"), error.to_string())).collect()
}

/// A host that forwards IPv6 forgets the routes it learned from routers, unless told to go on
/// listening to them (`accept_ra`, kernel documentation of ip-sysctl).
fn switch_on_v6() -> Result<()> {
    if sysctl::get(V6)? == "1" {
        return Ok(());
    }
    for device in sysctl::ipv6_devices()? {
        let [accept_ra, forwarding] =
            ["accept_ra", "forwarding"].map(|key| format!("net/ipv6/conf/{device}/{key}"));
        if sysctl::get(&accept_ra)? == "1" && sysctl::get(&forwarding)? == "0" {
            sysctl::ensure(&accept_ra, "2")?;
            info!(sysctl = accept_ra, "set to 2: its routers are listened to while forwarding");
        }
    }
    switch_on(V6)
}

fn switch_on(key: &str) -> Result<()> {
    if sysctl::ensure(key, "1")? {
        info!(sysctl = key, "set to 1: pods need the host to forward");
    }
    Ok(())
}
