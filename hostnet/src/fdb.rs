//! Where a VXLAN device sends frames: for each hardware address the host behind which it is.

use std::net::IpAddr;

use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::dump::dump;
use crate::error::{During as _, Result, unless_absent};
use crate::mac::Mac;
use crate::netlink::Netlink;

/// An entry of a VXLAN device's forwarding database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Forward {
    /// The device's index.
    pub link: u32,
    /// The hardware address.
    pub mac: Mac,
    /// The host that frames for it are sent to.
    pub host: IpAddr,
}

/// Adds an entry, or replaces the one of the same hardware address.
///
/// # Errors
/// The kernel's.
pub async fn ensure(netlink: &Netlink, forward: Forward) -> Result<()> {
    let Forward { link, mac, host } = forward;
    let request = netlink.0.neighbours().add_bridge(link, &mac.0).destination(host);
    let answer = request.flags(NeighbourFlags::Own).replace().execute().await;
    answer.during("set", format_args!("host {host} of {mac} at link {link}"))
}

/// Deletes an entry; says whether it was there.
///
/// # Errors
/// The kernel's, unless it says that there is none.
pub async fn delete(netlink: &Netlink, forward: Forward) -> Result<bool> {
    let Forward { link, mac, host } = forward;
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Bridge;
    message.header.ifindex = link;
    message.header.state = NeighbourState::Permanent;
    message.header.flags = NeighbourFlags::Own;
    message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.0.to_vec()));
    message.attributes.push(NeighbourAttribute::Destination(host.into()));
    let answer = netlink.0.neighbours().del(message).execute().await;
    unless_absent(answer.during("delete", format_args!("host {host} of {mac} at link {link}")))
}

/// The entries of a device.
///
/// # Errors
/// The kernel's.
pub async fn list(netlink: &Netlink, link: u32) -> Result<Vec<Forward>> {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Bridge;
    let question = RouteNetlinkMessage::GetNeighbour(message);
    let answers = dump(netlink, question).await.during("list", "hosts behind tunnels")?;
    let messages = answers.iter().filter_map(|answer| match answer {
        RouteNetlinkMessage::NewNeighbour(message) => Some(message),
        _ => None,
    });
    Ok(messages.filter_map(parse).filter(|forward| forward.link == link).collect())
}

/// None for entries without host, which are those of bridges.
fn parse(message: &NeighbourMessage) -> Option<Forward> {
    let (mut mac, mut host) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::LinkLayerAddress(octets) => mac = Mac::from_slice(octets),
            NeighbourAttribute::Destination(address) => host = ip(address),
            _ => {}
        }
    }
    Some(Forward { link: message.header.ifindex, mac: mac?, host: host? })
}

/// The family is that of bridges, so that the length alone tells what it is.
fn ip(address: &NeighbourAddress) -> Option<IpAddr> {
    match address {
        NeighbourAddress::Inet(ip) => Some((*ip).into()),
        NeighbourAddress::Inet6(ip) => Some((*ip).into()),
        NeighbourAddress::Other(octets) => {
            let v4 = <[u8; 4]>::try_from(octets.as_slice()).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(octets.as_slice()).map(IpAddr::from)).ok()
        }
        _ => None,
    }
}
