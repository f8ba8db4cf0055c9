//! What the kernel has for the way to another node's pods.

use std::fmt;
use std::net::IpAddr;

use hostnet::fdb::{self, Forward};
use hostnet::neigh::{self, Neighbour};
use hostnet::route::{self, Route};
use hostnet::{Mac, Netlink, Result};
use ipnetwork::IpNetwork;

/// One entry of the kernel's. In the order in which they are made, so that packets come only once
/// there is all that they need; the way back is that of deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    /// The end of a tunnel at another node.
    Neighbour(Neighbour),
    /// Where that end is.
    Forward(Forward),
    /// The route to that node's pods.
    Route(Route),
}

/// What there is one entry for: another one takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Neighbour(u32, IpAddr),
    Forward(u32, Mac),
    Route(IpNetwork),
}

impl Item {
    pub(super) const fn place(&self) -> Place {
        match self {
            Self::Neighbour(Neighbour { link, ip, .. }) => Place::Neighbour(*link, *ip),
            Self::Forward(Forward { link, mac, .. }) => Place::Forward(*link, *mac),
            Self::Route(Route { destination, .. }) => Place::Route(*destination),
        }
    }

    /// Makes it, or lets it replace what is in its place.
    ///
    /// # Errors
    /// The kernel's.
    pub(super) async fn ensure(&self, netlink: &Netlink) -> Result<()> {
        match self {
            Self::Neighbour(neighbour) => neigh::ensure(netlink, *neighbour).await,
            Self::Forward(forward) => fdb::ensure(netlink, *forward).await,
            Self::Route(route) => route::ensure(netlink, route).await,
        }
    }

    /// Deletes it; says whether it was there.
    ///
    /// # Errors
    /// The kernel's, unless it says that there is none.
    pub(crate) async fn delete(&self, netlink: &Netlink) -> Result<bool> {
        match self {
            Self::Neighbour(neighbour) => neigh::delete(netlink, *neighbour).await,
            Self::Forward(forward) => fdb::delete(netlink, *forward).await,
            Self::Route(route) => route::delete(netlink, route).await,
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Neighbour(Neighbour { link, ip, mac, .. }) => {
                write!(f, "neighbour {ip} at {mac} by link {link}")
            }
            Self::Forward(Forward { link, mac, host }) => {
                write!(f, "{mac} at host {host} by link {link}")
            }
            Self::Route(route) => route.fmt(f),
        }
    }
}
