//! Neighbours: which hardware address an address of a link has.

use std::net::IpAddr;

use futures_util::TryStreamExt as _;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};

use crate::error::{During as _, Result, unless_absent};
use crate::mac::Mac;
use crate::netlink::Netlink;

/// A neighbour on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Neighbour {
    /// The link's index.
    pub link: u32,
    /// The neighbour's address.
    pub ip: IpAddr,
    /// Its hardware address.
    pub mac: Mac,
    /// How far the kernel may trust it.
    pub trust: Trust,
}

/// How far the kernel may trust a neighbour entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trust {
    /// For ever.
    Permanent,
    /// Until it had the occasion to ask: usable at once, verified when used.
    Stale,
}

/// Adds a neighbour, or replaces what is known of it.
///
/// # Errors
/// The kernel's.
pub async fn ensure(netlink: &Netlink, neighbour: Neighbour) -> Result<()> {
    let Neighbour { link, ip, mac, trust } = neighbour;
    let state = match trust {
        Trust::Permanent => NeighbourState::Permanent,
        Trust::Stale => NeighbourState::Stale,
    };
    let request = netlink.0.neighbours().add(link, ip).link_layer_address(&mac.0).state(state);
    let answer = request.replace().execute().await;
    answer.during("set", format_args!("neighbour {ip} at {mac} of link {link}"))
}

/// Deletes a neighbour; says whether it was there.
///
/// # Errors
/// The kernel's, unless it says that there is none.
pub async fn delete(netlink: &Netlink, neighbour: Neighbour) -> Result<bool> {
    let Neighbour { link, ip, .. } = neighbour;
    let mut message = NeighbourMessage::default();
    message.header.ifindex = link;
    message.header.family = match ip {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    message.attributes.push(NeighbourAttribute::Destination(ip.into()));
    let answer = netlink.0.neighbours().del(message).execute().await;
    unless_absent(answer.during("delete", format_args!("neighbour {ip} of link {link}")))
}

/// Every neighbour of the namespace whose hardware address is known.
///
/// # Errors
/// The kernel's.
pub async fn list(netlink: &Netlink) -> Result<Vec<Neighbour>> {
    let answer: std::result::Result<Vec<_>, _> =
        netlink.0.neighbours().get().execute().try_collect().await;
    Ok(answer.during("list", "neighbours")?.iter().filter_map(parse).collect())
}

fn parse(message: &NeighbourMessage) -> Option<Neighbour> {
    let ip = message.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(ip)) => Some(IpAddr::from(*ip)),
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(ip)) => Some(IpAddr::from(*ip)),
        _ => None,
    })?;
    let mac = message.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::LinkLayerAddress(octets) => Mac::from_slice(octets),
        _ => None,
    })?;
    let trust = match message.header.state {
        NeighbourState::Permanent => Trust::Permanent,
        _ => Trust::Stale,
    };
    Some(Neighbour { link: message.header.ifindex, ip, mac, trust })
}
