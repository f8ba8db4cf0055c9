//! A network namespace of a test's own with the devices and routes of a [`World`](crate::world).

use std::panic::resume_unwind;
use std::thread;

use anyhow::Result;
use hostnet::addr::{self, Address, Scope};
use hostnet::link::{self, VethPair};
use hostnet::route::{self, Route};
use hostnet::{Mac, NetNs, Netlink, sysctl};
use ipnetwork::IpNetwork;
use rustix::thread::{UnshareFlags, unshare_unsafe};

use crate::packet::OWN_MAC;
use crate::world::{Devices, MTU, Net};

/// Runs a test on a thread in a new network namespace, which ends with it.
///
/// # Panics
/// When the namespace cannot be made (it takes root) and when the test panics.
pub fn inside(test: impl FnOnce(Devices) + Send) {
    let run = || {
        // SAFETY: no file descriptors are unshared, which is what could break others.
        unsafe { unshare_unsafe(UnshareFlags::NEWNET) }
            .expect("a network namespace of its own; tests of programs are root's");
        test(devices().expect("devices and routes in a fresh namespace"));
    };
    if let Err(panic) = thread::scope(|scope| scope.spawn(run).join()) {
        resume_unwind(panic);
    }
}

fn devices() -> Result<Devices> {
    for family in ["ipv4", "ipv6"] {
        sysctl::ensure(&format!("net/{family}/conf/all/forwarding"), "1")?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let netlink = Netlink::here()?;
        let client = device(&netlink, "client").await?;
        let local = device(&netlink, "local").await?;
        let uplink = device(&netlink, "uplink").await?;
        for Net { remote, outside, node, gateway, .. } in Net::both() {
            let prefix = if remote.is_ipv4() { 24 } else { 64 };
            let network = IpNetwork::new(node, prefix)?;
            addr::ensure(&netlink, Address { link: uplink, network, scope: Scope::Global }).await?;
            for host in [remote, outside] {
                let network = IpNetwork::new(IpNetwork::new(host, prefix)?.network(), prefix)?;
                route::ensure(&netlink, &Route::through(network, gateway, uplink)).await?;
            }
        }
        Ok(Devices { client, local, uplink })
    })
}

async fn device(netlink: &Netlink, name: &str) -> Result<u32> {
    let peer = format!("{name}-peer");
    let pair = VethPair {
        host_name: name,
        host_mac: Mac(OWN_MAC),
        alias: name,
        pod_name: &peer,
        pod_mac: Mac([2, 0, 0, 0, 0, 2]),
        namespace: &NetNs::current()?,
        mtu: MTU,
    };
    let index = pair.create(netlink).await?.index;
    link::set_up(netlink, index).await?;
    link::set_up(netlink, link::require(netlink, &peer).await?.index).await?;
    Ok(index)
}
