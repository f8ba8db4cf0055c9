//! A pod's link, addresses and routes: a routed pair of devices, no bridge, no proxy ARP.
//!
//! ```text
//!   pod: eth0 10.1.1.7/32, default via 169.254.1.1     host: wag… 169.254.1.1/32 scope link
//!        fd01::7/128,       default via fe80::1              fe80::1/64
//!        neighbours permanent                                10.1.1.7/32 dev wag…, neighbour stale
//! ```
//! The host owns the gateway's addresses, and its neighbours may be verified: a pod that changes
//! its hardware address makes the kernel drop its permanent entries, and recovers by asking.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hostnet::addr::{self, Address, Scope};
use hostnet::link::{self, Link, VethPair};
use hostnet::neigh::{self, Neighbour, Trust};
use hostnet::route::{self, Route, Way};
use hostnet::{Mac, NetNs, Netlink, Result, sysctl};
use ipnetwork::IpNetwork;

use crate::protocol::{PodAddress, PodNetwork};

const GATEWAY_V4: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);
const GATEWAY_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
/// The prefix of the IPv6 gateway on the link: all link-local ones, so that pods' are reachable.
const GATEWAY_V6_PREFIX: u8 = 64;
const LOOPBACK: &str = "lo";

/// What a pod's network is to be.
#[derive(Clone, Debug)]
pub(crate) struct Wiring<'a> {
    /// Names, addresses and MTU.
    pub(crate) network: &'a PodNetwork,
    /// Alias of the host's end.
    pub(crate) alias: &'a str,
    /// The node's own address of each pod address's family, which it uses towards the pod.
    pub(crate) node_ips: &'a [IpAddr],
    /// The host's namespace.
    pub(crate) host: &'a Netlink,
    /// The pod's namespace.
    pub(crate) pod: &'a Netlink,
    /// The same, to enter it.
    pub(crate) namespace: &'a NetNs,
}

/// Addresses with the next hops that pods of this node use. One of each family is the way out,
/// unless the pod has another already: two default routes would be a race between interfaces.
#[must_use]
pub(crate) fn pod_addresses(ips: &[IpAddr], existing: &[Way]) -> Vec<PodAddress> {
    let has_way_out = |ip: &IpAddr| {
        let ways = existing.iter().map(|way| way.destination);
        ways.into_iter().any(|it| it.prefix() == 0 && it.is_ipv6() == ip.is_ipv6())
    };
    let is_first = |ip: &IpAddr| ips.iter().find(|it| it.is_ipv6() == ip.is_ipv6()) == Some(ip);
    let address = |ip: &IpAddr| PodAddress {
        ip: *ip,
        gateway: if ip.is_ipv4() { GATEWAY_V4.into() } else { GATEWAY_V6.into() },
        is_way_out: is_first(ip) && !has_way_out(ip),
    };
    ips.iter().map(address).collect()
}

impl Wiring<'_> {
    /// Makes the link and everything on it; returns the host's end. Whoever calls it deletes the
    /// host's end when it fails.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) async fn build(&self) -> Result<Link> {
        let PodNetwork { host_name, host_mac, pod_name, pod_mac, mtu, .. } = self.network;
        let pair = VethPair {
            host_name,
            host_mac: *host_mac,
            alias: self.alias,
            pod_name,
            pod_mac: *pod_mac,
            namespace: self.namespace,
            mtu: *mtu,
        };
        let host_link = pair.create(self.host).await?;
        self.wire_pod().await?;
        self.wire_host(&host_link).await?;
        Ok(host_link)
    }

    async fn wire_pod(&self) -> Result<()> {
        let pod_name = &self.network.pod_name;
        self.namespace.run(|| self.pod_sysctls())??;
        let lo = link::require(self.pod, LOOPBACK).await?;
        link::set_up(self.pod, lo.index).await?;
        let pod_link = link::require(self.pod, pod_name).await?;
        link::set_up(self.pod, pod_link.index).await?;
        for address in &self.network.addresses {
            self.wire_pod_address(pod_link.index, address).await?;
        }
        Ok(())
    }

    async fn wire_pod_address(&self, link: u32, address: &PodAddress) -> Result<()> {
        let PodAddress { ip, gateway, is_way_out } = *address;
        let mac = self.network.host_mac;
        let own = Address { link, network: address.network(), scope: Scope::Global };
        addr::ensure(self.pod, own).await?;
        if !is_way_out {
            return Ok(());
        }
        let neighbour = Neighbour { link, ip: gateway, mac, trust: Trust::Permanent };
        neigh::ensure(self.pod, neighbour).await?;
        let to_gateway = Route::on_link(gateway.into(), link);
        route::ensure(self.pod, &to_gateway).await?;
        let default = Route::through(address.everywhere(), gateway, link).from(ip);
        route::ensure(self.pod, &default).await
    }

    async fn wire_host(&self, host_link: &Link) -> Result<()> {
        self.host_sysctls()?;
        let link = host_link.index;
        link::set_up(self.host, link).await?;
        for address in &self.network.addresses {
            self.wire_host_address(link, address).await?;
        }
        Ok(())
    }

    async fn wire_host_address(&self, link: u32, address: &PodAddress) -> Result<()> {
        let PodAddress { ip, gateway, is_way_out: _ } = *address;
        let network = on_host(gateway);
        addr::ensure(self.host, Address { link, network, scope: Scope::Link }).await?;
        let mac: Mac = self.network.pod_mac;
        neigh::ensure(self.host, Neighbour { link, ip, mac, trust: Trust::Stale }).await?;
        let to_pod = Route::on_link(address.network(), link);
        let own = self.node_ips.iter().find(|own| own.is_ipv4() == ip.is_ipv4());
        route::ensure(self.host, &own.map_or(to_pod, |own| to_pod.from(*own))).await
    }

    /// Must run inside the pod's namespace.
    fn pod_sysctls(&self) -> Result<()> {
        if !self.network.addresses.iter().any(|address| address.ip.is_ipv6()) {
            return Ok(());
        }
        let pod_name = self.network.pod_name.as_str();
        for device in ["all", "default", LOOPBACK, pod_name] {
            sysctl::ensure(&format!("net/ipv6/conf/{device}/disable_ipv6"), "0")?;
        }
        for (key, value) in [("accept_ra", "0"), ("accept_dad", "0"), ("keep_addr_on_down", "1")] {
            sysctl::ensure(&format!("net/ipv6/conf/{pod_name}/{key}"), value)?;
        }
        Ok(())
    }

    /// A pod that changes its hardware address is asked for again after this many milliseconds, one
    /// and a half times as many at most, and then a second and another for the answer. Linux takes 30
    /// seconds, five and three.
    fn ask_often(&self, family: &str) -> Result<()> {
        let device = self.network.host_name.as_str();
        for (key, value) in [
            ("base_reachable_time_ms", "3000"),
            ("delay_first_probe_time", "1"),
            ("ucast_solicit", "1"),
        ] {
            sysctl::ensure(&format!("net/{family}/neigh/{device}/{key}"), value)?;
        }
        Ok(())
    }

    fn host_sysctls(&self) -> Result<()> {
        let device = self.network.host_name.as_str();
        self.ask_often("ipv4")?;
        for (key, value) in [("rp_filter", "0"), ("forwarding", "1"), ("send_redirects", "0")] {
            sysctl::ensure(&format!("net/ipv4/conf/{device}/{key}"), value)?;
        }
        if !sysctl::has_ipv6() {
            return Ok(());
        }
        self.ask_often("ipv6")?;
        // Mode 1: no link-local address beside the gateway's.
        let keys = [
            ("disable_ipv6", "0"),
            ("addr_gen_mode", "1"),
            ("accept_ra", "0"),
            ("accept_dad", "0"),
            ("forwarding", "1"),
        ];
        for (key, value) in keys {
            sysctl::ensure(&format!("net/ipv6/conf/{device}/{key}"), value)?;
        }
        Ok(())
    }
}

/// The gateway's address as the host's end has it.
fn on_host(gateway: IpAddr) -> IpNetwork {
    match gateway {
        IpAddr::V4(_) => gateway.into(),
        IpAddr::V6(_) => IpNetwork::new(gateway, GATEWAY_V6_PREFIX).unwrap_or(gateway.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_of_each_family_is_the_way_out_if_there_is_no_other() {
        let ips: Vec<IpAddr> =
            ["10.1.1.2", "10.1.2.2", "fd01::2"].map(|ip| ip.parse().unwrap()).into();
        let way = |text: &str| Way { destination: text.parse().unwrap(), metric: 0, link: 7 };
        for (existing, expected) in [
            (vec![], [true, false, true]),
            (vec![way("0.0.0.0/0")], [false, false, true]),
            (vec![way("::/0"), way("10.0.0.0/8")], [true, false, false]),
        ] {
            let found = pod_addresses(&ips, &existing);
            let ways: Vec<_> = found.iter().map(|each| each.is_way_out).collect();
            assert_eq!(ways, expected, "{existing:?}");
        }
    }
}
