//! The tunnel to other nodes: one VXLAN device, which learns nothing. Whatever is behind it is named
//! by Node objects, so that every node knows all others without being told by them.
//!
//! ```text
//! waggle.1 ── this node's end: first address of each of its podCIDRs, hardware address of its name
//!   route 10.1.2.0/24 via 10.1.2.0  ── neighbour 10.1.2.0 at <of node b's name>  ── <that> at 192.0.2.2
//! ```

use std::collections::BTreeSet;
use std::net::IpAddr;

use dataplane_common::abi::{Node, Port};
use hostnet::addr::{self, Address, Scope};
use hostnet::fdb::Forward;
use hostnet::link::{self, Link};
use hostnet::neigh::{Neighbour, Trust};
use hostnet::vxlan::Vxlan;
use hostnet::{Mac, Netlink, Result, sysctl};
use ipnetwork::IpNetwork;
use tracing::info;

use crate::config;
use crate::devices::Devices;
use crate::devices::prefixes::masked;
use crate::model::NodeSpec;
use crate::problem::Problem;

/// What the names of our tunnels' devices begin with, before their VNI.
const PREFIX: &str = "waggle.";

/// What a packet grows by in the tunnel: an Ethernet and a VXLAN header, and those of UDP and IP.
const HEADERS_V4: u32 = 14 + 8 + 8 + 20;
/// The same where nodes speak IPv6 with each other.
const HEADERS_V6: u32 = 14 + 8 + 8 + 40;

/// The device as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// Its name.
    pub name: String,
    /// What it is made as.
    pub vxlan: Vxlan,
    /// This node's own address among nodes.
    pub local: IpAddr,
    /// Its hardware address.
    pub mac: Mac,
    /// Its MTU in bytes.
    pub mtu: u32,
    /// This node's addresses in it.
    pub addresses: BTreeSet<IpNetwork>,
}

/// The end of the tunnel at another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FarEnd {
    /// Its address, which packets to the pods there are handed to.
    pub neighbour: Neighbour,
    /// The node that it is at.
    pub forward: Forward,
}

/// Whether a device is a tunnel of ours.
#[must_use]
pub fn is_ours(link: &Link) -> bool {
    link.name.starts_with(PREFIX) && link.kind.as_deref() == Some("vxlan")
}

/// The address that a node has in the tunnel for one of its pod networks: the first, as flannel's.
#[must_use]
pub fn end_of(network: IpNetwork) -> IpAddr {
    masked(network).ip()
}

/// What a packet grows by where nodes have addresses of that family.
#[must_use]
pub const fn headers(local: IpAddr) -> u32 {
    if local.is_ipv4() { HEADERS_V4 } else { HEADERS_V6 }
}

/// The hardware address of a node's end. Of its name, so that a node that is made anew or gets
/// another address is at the same one.
#[must_use]
pub fn mac(node: &str) -> Mac {
    Mac::of(node)
}

impl Tunnel {
    /// The tunnel of a node, over the device that holds the first of its addresses.
    ///
    /// # Errors
    /// When no device holds one.
    pub fn of(
        own: &NodeSpec,
        devices: &Devices,
        set: config::Vxlan,
    ) -> std::result::Result<Self, Problem> {
        let config::Vxlan { vni, port } = set;
        let held = devices.held(own).into_iter().next();
        let under = held.and_then(|local| Some((local, devices.holding(local)?)));
        let (local, under) = under.ok_or_else(|| unheld(own))?;
        let addresses = own.pod_cidrs.iter().map(|network| end_of(*network).into()).collect();
        Ok(Self {
            name: format!("{PREFIX}{vni}"),
            vxlan: Vxlan { vni, port, local: Some(local), learns: false },
            local,
            mac: mac(&own.name),
            mtu: under.mtu.saturating_sub(headers(local)),
            addresses,
        })
    }

    /// The end at another node of the way to one of its pod networks.
    ///
    /// # Errors
    /// When that node's own address cannot be an end, said as what follows the network's name.
    pub fn far_end(
        &self,
        link: u32,
        node: &NodeSpec,
        network: IpNetwork,
        devices: &Devices,
    ) -> std::result::Result<FarEnd, String> {
        let same_family = |ip: &&IpAddr| ip.is_ipv4() == self.local.is_ipv4();
        let Some(host) = node.internal_ips.iter().copied().find(|ip| same_family(&ip)) else {
            let family = if self.local.is_ipv4() { "IPv4" } else { "IPv6" };
            return Err(format!(
                "cannot be reached: the Node has no InternalIP of {family}, which the tunnel from \
                 {} needs; name one in its status.addresses",
                self.local
            ));
        };
        if devices.holding(host).is_some() {
            return Err(format!(
                "cannot be reached: its InternalIP {host} is held by this host; mend that Node, or \
                 --node-name if it is this one"
            ));
        }
        let (ip, mac) = (end_of(network), mac(&node.name));
        let neighbour = Neighbour { link, ip, mac, trust: Trust::Permanent };
        Ok(FarEnd { neighbour, forward: Forward { link, mac, host } })
    }

    /// Makes the content of the table `node` say what masqueraded flows through it leave with.
    #[must_use]
    pub fn told(&self, node: Node) -> Node {
        let mut told = Node { tunnel_port: Port::new(self.vxlan.port), ..node };
        for network in &self.addresses {
            match network.ip() {
                IpAddr::V4(ip) => told.tunnel4 = ip.octets(),
                IpAddr::V6(ip) => told.tunnel6 = ip.octets(),
            }
        }
        told
    }

    /// Makes the device what it is to be, or anew where it cannot become that; returns its index,
    /// and whether anything was changed.
    ///
    /// # Errors
    /// The kernel's.
    pub async fn ensure(&self, netlink: &Netlink, devices: &Devices) -> Result<(u32, bool)> {
        let found = devices.links.iter().find(|link| link.name == self.name);
        let kept = found.filter(|link| link.vxlan == Some(self.vxlan));
        let is_right = |link: &&Link| {
            let own = devices.addresses.iter().filter(|address| address.link == link.index);
            let global = own.filter(|address| address.scope == Scope::Global);
            let addresses: BTreeSet<_> = global.map(|address| address.network).collect();
            link.is_up
                && link.mac == Some(self.mac)
                && link.mtu == self.mtu
                && addresses == self.addresses
        };
        if let Some(link) = kept.filter(is_right) {
            return Ok((link.index, false));
        }
        let index = match kept {
            Some(link) => {
                link::change(netlink, link.index, self.mac, self.mtu).await?;
                link.index
            }
            None => self.make(netlink, found).await?,
        };
        self.set_up(netlink, index, devices).await?;
        Ok((index, true))
    }

    /// Why there is no tunnel, with its remedy where another device is in the way.
    #[must_use]
    pub fn refused(&self, error: &hostnet::Error, devices: &Devices) -> Problem {
        let Vxlan { vni, port, .. } = self.vxlan;
        let is_alike = |link: &&Link| {
            let other = link.vxlan.filter(|other| (other.vni, other.port) == (vni, port));
            other.is_some() && link.name != self.name
        };
        let message = match devices.links.iter().find(is_alike) {
            Some(other) => format!(
                "{error}: {} has the VNI {vni} at UDP port {port}; delete that device, or set another \
                 vxlan.vni on all nodes",
                other.name
            ),
            None => error.to_string(),
        };
        Problem::error(format!("tunnel {}", self.name), message)
    }

    async fn make(&self, netlink: &Netlink, other: Option<&Link>) -> Result<u32> {
        if let Some(other) = other {
            link::delete(netlink, &other.name).await?;
        }
        let link = self.vxlan.create(netlink, &self.name, self.mac, self.mtu).await?;
        info!(device = self.name, local = %self.local, mtu = self.mtu, "made the tunnel");
        Ok(link.index)
    }

    async fn set_up(&self, netlink: &Netlink, link: u32, devices: &Devices) -> Result<()> {
        self.set_sysctls()?;
        for network in &self.addresses {
            addr::ensure(netlink, Address { link, network: *network, scope: Scope::Global })
                .await?;
        }
        let of_link = devices.addresses.iter().filter(|address| address.link == link);
        let global = of_link.filter(|address| address.scope == Scope::Global);
        for surplus in global.filter(|address| !self.addresses.contains(&address.network)) {
            addr::delete(netlink, *surplus).await?;
        }
        link::set_up(netlink, link).await
    }

    /// Answers come through the tunnel to what left directly, where the two nodes see their link
    /// in two ways.
    fn set_sysctls(&self) -> Result<()> {
        let name = &self.name;
        for key in ["rp_filter", "send_redirects"] {
            sysctl::ensure(&format!("net/ipv4/conf/{name}/{key}"), "0")?;
        }
        if !sysctl::has_ipv6() {
            return Ok(());
        }
        // Mode 1: no link-local address, which nobody would be told of.
        for (key, value) in [("disable_ipv6", "0"), ("addr_gen_mode", "1"), ("accept_ra", "0")] {
            sysctl::ensure(&format!("net/ipv6/conf/{name}/{key}"), value)?;
        }
        Ok(())
    }
}

/// Deletes tunnels of ours but for the one that is wanted.
///
/// # Errors
/// The kernel's.
pub async fn delete_others(
    netlink: &Netlink,
    devices: &Devices,
    wanted: Option<&Tunnel>,
) -> Result<()> {
    let wanted = wanted.map(|tunnel| tunnel.name.as_str());
    for link in
        devices.links.iter().filter(|link| is_ours(link) && Some(link.name.as_str()) != wanted)
    {
        link::delete(netlink, &link.name).await?;
        info!(device = link.name, "deleted a tunnel that is not used any longer");
    }
    Ok(())
}

fn unheld(own: &NodeSpec) -> Problem {
    let message = "cannot have a tunnel to other nodes: no device of this host holds an InternalIP \
                   of it; mend the Node's status.addresses or the host's addresses";
    Problem::error(format!("Node {}", own.name), message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::tests::{devices, node};

    fn host() -> Devices {
        devices(&[
            (2, "eth0", 1500, &["192.0.2.1/24", "fd00::1/64"]),
            (3, "eth1", 9000, &["198.51.100.1/24"]),
        ])
    }

    /// Address, MTU and own ends of the tunnel of a node.
    fn made(ips: &[&str]) -> (String, u32, Vec<String>) {
        let own = node("a", ips, &["10.1.1.7/24", "fd01:1::/64"]);
        let tunnel = Tunnel::of(&own, &host(), config::Vxlan { vni: 7, port: 4789 }).unwrap();
        let vxlan = Vxlan { vni: 7, port: 4789, local: Some(tunnel.local), learns: false };
        assert_eq!((tunnel.name.as_str(), tunnel.vxlan, tunnel.mac), ("waggle.7", vxlan, mac("a")));
        let ends = tunnel.addresses.iter().map(ToString::to_string).collect();
        (tunnel.local.to_string(), tunnel.mtu, ends)
    }

    #[test]
    fn a_tunnel_is_of_the_first_address_that_a_device_holds() {
        let ends = || vec!["10.1.1.0/32".to_owned(), "fd01:1::/128".to_owned()];
        for (ips, local, mtu) in [
            (vec!["192.0.2.1", "fd00::1"], "192.0.2.1", 1450),
            (vec!["203.0.113.9", "198.51.100.1"], "198.51.100.1", 8950),
            (vec!["fd00::1", "192.0.2.1"], "fd00::1", 1430),
        ] {
            assert_eq!(made(&ips), (local.to_owned(), mtu, ends()), "{ips:?}");
        }
        let refused =
            Tunnel::of(&node("a", &["203.0.113.9"], &[]), &host(), config::Vxlan::default());
        assert!(
            refused.unwrap_err().message.contains("no device of this host holds an InternalIP")
        );
    }

    #[test]
    fn hardware_addresses_never_change_between_releases() {
        assert_eq!(
            [mac("a"), mac("node-1")].map(|mac| mac.to_string()),
            ["42:ef:dc:4c:86:01", "9e:55:ec:c2:20:78"]
        );
    }

    #[test]
    fn a_device_in_the_way_is_named() {
        let mut host = host();
        let own = node("a", &["192.0.2.1"], &["10.1.1.0/24"]);
        let tunnel = Tunnel::of(&own, &host, config::Vxlan::default()).unwrap();
        let error = hostnet::Error::new("create", "VXLAN device waggle.1", "it exists already");
        let other = Vxlan { local: None, ..tunnel.vxlan };
        for (vxlan, expected) in [
            (
                Some(other),
                "exists already: eth1 has the VNI 1 at UDP port 8472; delete that device",
            ),
            (Some(Vxlan { vni: 2, ..other }), "waggle.1: it exists already"),
            (None, "waggle.1: it exists already"),
        ] {
            host.links[1].vxlan = vxlan;
            let message = tunnel.refused(&error, &host).message;
            assert!(message.contains(expected), "{message}");
        }
    }
}
