//! Sockets to listen at, each of one family: a socket of IPv6 leaves the same port of IPv4 free.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use dataplane_common::abi::Family;
use rustix::net::sockopt::set_ipv6_v6only;
use rustix::net::{AddressFamily, SocketType, socket};
use tokio::net::{TcpListener, TcpSocket};

/// How many connections may wait to be accepted.
const WAITING: u32 = 128;

/// A socket that listens.
pub(super) fn listen(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = match at {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if at.is_ipv6() {
        set_ipv6_v6only(&socket, true)?;
    }
    socket.set_reuseaddr(true)?;
    socket.bind(at)?;
    socket.listen(WAITING)
}

/// The families that this host's kernel knows.
pub fn families() -> impl Iterator<Item = Family> {
    let is_known = |family: &Family| {
        let family = match family {
            Family::V4 => AddressFamily::INET,
            Family::V6 => AddressFamily::INET6,
        };
        socket(family, SocketType::STREAM, None).is_ok()
    };
    [Family::V4, Family::V6].into_iter().filter(is_known)
}

/// The address of no host, which stands for all of a family.
#[must_use]
pub const fn any_address(family: Family) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

/// The addresses that stand for this one: where it is that of no host both families are meant, as
/// Go's `net.Listen` takes it.
#[must_use]
pub fn every_family(at: SocketAddr) -> BTreeSet<SocketAddr> {
    if !at.ip().is_unspecified() {
        return [at].into();
    }
    families().map(|family| SocketAddr::new(any_address(family), at.port())).collect()
}
