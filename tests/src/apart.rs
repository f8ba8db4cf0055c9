//! Sockets in a network namespace beside that of the test, as pods have them.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::thread;

use anyhow::{Context as _, Result, anyhow};
use dataplane_common::abi::NetnsId;
use hostnet::addr::{self, Address, Scope};
use hostnet::link::{self, VethPair};
use hostnet::{Mac, NetNs, Netlink};
use ipnetwork::IpNetwork;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use crate::net::Net;
use crate::world::MTU;

/// The host's end of the link.
const LINK: &str = "apart";
/// Of a network that holds all pods of a [`Net`]: nobody is there, and nobody has to be.
const PREFIX: u8 = 16;

/// The namespace with its sockets, which lives as long as this value and its link.
#[derive(Debug)]
pub struct Apart {
    /// What the test's own namespace calls it.
    pub netns: NetnsId,
    _sockets: Vec<(OwnedFd, UdpSocket)>,
}

impl Apart {
    /// Makes sockets of TCP and UDP, each with its own end and its peer's, in a new namespace with the
    /// addresses of both families' client.
    ///
    /// # Errors
    /// When it cannot be made: it takes root.
    pub fn with(sockets: &[(SocketAddr, SocketAddr)]) -> Result<Self> {
        let namespace = fresh()?;
        let netns = wire(&namespace)?;
        let both = |(own, peer): &(_, _)| Ok((tcp(*own, *peer)?, udp(*own, *peer)?));
        let make = || sockets.iter().map(both).collect::<io::Result<_>>();
        Ok(Self { netns, _sockets: namespace.run(make)?? })
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        let gone = here(async |netlink| Ok(link::delete(netlink, LINK).await?));
        assert!(gone.is_ok_and(|was_there| was_there), "the link {LINK} could not be deleted");
    }
}

fn fresh() -> Result<NetNs> {
    let make = || {
        // SAFETY: no file descriptors are unshared, which is what could break others.
        unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.context("a network namespace")?;
        Ok(NetNs::current()?)
    };
    thread::spawn(make).join().map_err(|_| anyhow!("the thread of a namespace panicked"))?
}

/// Links a namespace to this one; returns what it is called here.
fn wire(namespace: &NetNs) -> Result<NetnsId> {
    here(async |netlink| {
        let pair = VethPair {
            host_name: LINK,
            host_mac: Mac([2, 0, 0, 0, 0, 3]),
            alias: LINK,
            pod_name: "eth0",
            pod_mac: Mac([2, 0, 0, 0, 0, 4]),
            namespace,
            mtu: MTU,
        };
        let number = pair.create(netlink).await?.netns;
        link::set_up(netlink, link::require(netlink, LINK).await?.index).await?;
        let inside = Netlink::within(namespace)?;
        let link = link::require(&inside, "eth0").await?.index;
        link::set_up(&inside, link).await?;
        for Net { client, .. } in Net::both() {
            let network = IpNetwork::new(client, PREFIX)?;
            addr::ensure(&inside, Address { link, network, scope: Scope::Global }).await?;
        }
        Ok(NetnsId::of(number.context("a number for the namespace behind the link")?))
    })
}

fn here<T>(action: impl AsyncFnOnce(&Netlink) -> Result<T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { action(&Netlink::here()?).await })
}

/// One that has sent its SYN: that is enough to have its tuple.
fn tcp(own: SocketAddr, peer: SocketAddr) -> io::Result<OwnedFd> {
    let family = match own.ip() {
        IpAddr::V4(_) => AddressFamily::INET,
        IpAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::NONBLOCK, None)?;
    bind(&socket, &own)?;
    match connect(&socket, &peer) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(socket),
        Err(error) => Err(error.into()),
    }
}

fn udp(own: SocketAddr, peer: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(own)?;
    socket.connect(peer)?;
    Ok(socket)
}
