//! A socket that sees what reaches the node's own stack, when all is translated and before anybody
//! answers: what endpoints on the host's network would get.

use std::{
    net::{IpAddr, SocketAddr},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use anyhow::{Context as _, Result};
use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SocketFlags, SocketType, bind, ipproto, recvfrom, socket_with,
        sockopt::set_socket_recv_buffer_size_force,
    },
};
use xtask::topology::Netns;

use super::{
    sight::{Sight, read_payload},
    tap::{LONGEST, ROOM},
};
use crate::diff::probe::Protocol;

/// The socket, at one address of the node.
#[derive(Debug)]
pub(in crate::diff) struct Ear {
    socket: OwnedFd,
    at: IpAddr,
    protocol: Protocol,
}

impl Ear {
    /// Opens it.
    pub(in crate::diff) fn open(node: &Netns, at: IpAddr, protocol: Protocol) -> Result<Self> {
        let socket = node.run(|| open(at, protocol))?;
        let socket =
            socket.with_context(|| format!("listening for {} at {at}", protocol.name()))?;
        Ok(Self { socket, at, protocol })
    }

    /// Hands over what has come of flows, and says how many packets there were.
    pub(in crate::diff) fn drain(&self, mut take: impl FnMut(Sight)) -> Result<usize> {
        let mut buffer = [0; LONGEST];
        let mut count = 0;
        loop {
            match recvfrom(&self.socket, &mut buffer, RecvFlags::DONTWAIT) {
                Ok((length, _, from)) => {
                    let from = from.and_then(|from| SocketAddr::try_from(from).ok());
                    if let Some(sight) = from.and_then(|from| self.read(from, &buffer[..length])) {
                        take(sight);
                    }
                }
                Err(Errno::AGAIN) => return Ok(count),
                Err(error) => return Err(error).context("receiving at the node itself"),
            }
            count += 1;
        }
    }

    /// Only IPv4's packets come with their IP header.
    fn read(&self, from: SocketAddr, packet: &[u8]) -> Option<Sight> {
        let header = match self.at {
            IpAddr::V4(_) => usize::from(packet.first()? & 0xf) * 4,
            IpAddr::V6(_) => 0,
        };
        read_payload(from.ip(), self.at, self.protocol, packet.get(header..)?)
    }
}

impl AsFd for Ear {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// In this thread's network namespace.
fn open(at: IpAddr, protocol: Protocol) -> Result<OwnedFd> {
    let family = match at {
        IpAddr::V4(_) => AddressFamily::INET,
        IpAddr::V6(_) => AddressFamily::INET6,
    };
    let protocol = match protocol {
        Protocol::Tcp => ipproto::TCP,
        Protocol::Udp => ipproto::UDP,
        Protocol::Sctp => ipproto::SCTP,
    };
    let socket = socket_with(family, SocketType::RAW, SocketFlags::CLOEXEC, Some(protocol))
        .context("making a socket")?;
    set_socket_recv_buffer_size_force(&socket, ROOM).context("making room for packets")?;
    bind(&socket, &SocketAddr::new(at, 0)).context("binding")?;
    Ok(socket)
}
