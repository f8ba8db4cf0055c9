//! Options of a UDP socket that the standard library does not know.

use std::{
    ffi::{c_int, c_void},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    os::fd::AsRawFd as _,
};

use super::cluster::ANSWER;

/// An option in its two families: level and name of each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    v4: (c_int, c_int),
    v6: (c_int, c_int),
}

/// Tells of every ICMP error, also of those that may pass.
pub(super) const ERRORS: Choice = Choice {
    v4: (libc::IPPROTO_IP, libc::IP_RECVERR),
    v6: (libc::IPPROTO_IPV6, libc::IPV6_RECVERR),
};

/// TTL or hop limit.
pub(super) const HOPS: Choice = Choice {
    v4: (libc::IPPROTO_IP, libc::IP_TTL),
    v6: (libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS),
};

/// Whether packets may be fragmented; 2 forbids it.
pub(super) const DISCOVER: Choice = Choice {
    v4: (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER),
    v6: (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER),
};

/// What is known of the path.
pub(super) const PATH_MTU: Choice =
    Choice { v4: (libc::IPPROTO_IP, libc::IP_MTU), v6: (libc::IPPROTO_IPV6, libc::IPV6_MTU) };

/// A socket with a peer, whose options can be reached.
#[derive(Debug)]
pub(super) struct Connected {
    socket: UdpSocket,
    peer: SocketAddr,
}

impl Connected {
    pub(super) fn to(peer: SocketAddr) -> io::Result<Self> {
        let any: IpAddr = match peer {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect(peer)?;
        socket.set_read_timeout(Some(ANSWER))?;
        Ok(Self { socket, peer })
    }

    /// Sends a datagram of some size and waits for the answer, or for an ICMP error.
    pub(super) fn exchange(&self, size: usize) -> io::Result<()> {
        self.socket.send(&vec![b'?'; size])?;
        self.socket.recv(&mut [0; 512]).map(drop)
    }

    /// Gives up on an answer sooner than usual.
    pub(super) fn set_patience(&self, patience: std::time::Duration) -> io::Result<()> {
        self.socket.set_read_timeout(Some(patience))
    }

    pub(super) fn set(&self, choice: Choice, value: c_int) -> io::Result<()> {
        let (level, name) = self.resolve(choice);
        // SAFETY: the pointer is to a live c_int of the size that is given.
        let outcome = unsafe {
            libc::setsockopt(
                self.socket.as_raw_fd(),
                level,
                name,
                (&raw const value).cast::<c_void>(),
                LENGTH,
            )
        };
        if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    pub(super) fn get(&self, choice: Choice) -> io::Result<c_int> {
        let (level, name) = self.resolve(choice);
        let (mut value, mut length) = (0, LENGTH);
        // SAFETY: both pointers are to live values, and the length is that of the first.
        let outcome = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                level,
                name,
                (&raw mut value).cast::<c_void>(),
                &raw mut length,
            )
        };
        if outcome == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
    }

    fn resolve(&self, choice: Choice) -> (c_int, c_int) {
        match self.peer {
            SocketAddr::V4(_) => choice.v4,
            SocketAddr::V6(_) => choice.v6,
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "four")]
const LENGTH: libc::socklen_t = size_of::<c_int>() as libc::socklen_t;
