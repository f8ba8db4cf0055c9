//! Tunnels of Ethernet frames in UDP (RFC 7348), whose far ends are named one by one.

use std::net::IpAddr;

use rtnetlink::packet_route::link::{InfoData, InfoVxlan, LinkInfo};
use rtnetlink::{LinkMessageBuilder, LinkVxlan};

use crate::error::{During as _, Result};
use crate::link::{self, Link};
use crate::mac::Mac;
use crate::netlink::Netlink;

/// What cannot be changed in the life of a VXLAN device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vxlan {
    /// The number of the network in it, of 24 bits.
    pub vni: u32,
    /// The UDP port that all its ends listen at.
    pub port: u16,
    /// This host's address, which packets of the tunnel leave with, and whose family they have.
    pub local: Option<IpAddr>,
    /// Whether it learns from frames where hardware addresses are.
    pub learns: bool,
}

impl Vxlan {
    /// Makes the device, which is down then.
    ///
    /// # Errors
    /// [`crate::Error::is_taken`] when there is a device of that name, or another one of that
    /// number at that port.
    pub async fn create(&self, netlink: &Netlink, name: &str, mac: Mac, mtu: u32) -> Result<Link> {
        let message = LinkVxlan::new(name, self.vni).port(self.port).learning(self.learns);
        let message = match self.local {
            Some(IpAddr::V4(local)) => message.local(local),
            Some(IpAddr::V6(local)) => message.local6(local),
            None => message,
        };
        let message = LinkMessageBuilder::build(message.address(mac.0.to_vec()).mtu(mtu));
        let answer = netlink.0.link().add(message).execute().await;
        answer.during("create", format_args!("VXLAN device {name}"))?;
        link::require(netlink, name).await
    }

    /// What the kernel says about a device of this kind.
    pub(crate) fn of(infos: &[LinkInfo]) -> Option<Self> {
        let data = infos.iter().find_map(|info| match info {
            LinkInfo::Data(InfoData::Vxlan(data)) => Some(data),
            _ => None,
        })?;
        let mut vxlan = Self { vni: 0, port: 0, local: None, learns: false };
        for info in data {
            match info {
                InfoVxlan::Id(vni) => vxlan.vni = *vni,
                InfoVxlan::Port(port) => vxlan.port = *port,
                InfoVxlan::Local(ip) => vxlan.local = Some((*ip).into()),
                InfoVxlan::Local6(ip) => vxlan.local = Some((*ip).into()),
                InfoVxlan::Learning(learns) => vxlan.learns = *learns,
                _ => {}
            }
        }
        Some(vxlan)
    }
}
