//! A socket that sees what comes out of a link, before any stack does, and sends into it.

use std::{
    io,
    os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd},
};

use anyhow::{Context as _, Result};
use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netdevice::name_to_index,
        recv, send, socket_with, sockopt::set_socket_recv_buffer_size_force,
    },
};
use xtask::topology::Netns;

use super::{
    frame::Opening,
    link::{DEVICE, Macs},
};
use crate::diff::option::set;

/// Bytes that wait to be received: those of many thousands of frames, each with what the kernel
/// keeps beside it.
pub(super) const ROOM: usize = 128 << 20;

/// Longer than any frame of a flow.
pub(super) const LONGEST: usize = 2048;

/// Every protocol, as `linux/if_ether.h` has it.
const EVERYTHING: u16 = 3;

/// Of an address of a device, as `linux/if_packet.h` has it.
const LENGTH: libc::socklen_t = 20;

/// The socket, at `eth0` of a namespace.
#[derive(Debug)]
pub(in crate::diff) struct Tap {
    socket: OwnedFd,
    macs: Macs,
}

impl Tap {
    /// Opens it where a link ends whose other end is in the node.
    pub(in crate::diff) fn open(netns: &Netns, node: &Netns) -> Result<Self> {
        let macs = Macs::find(netns, node)?;
        let socket = netns.run(open)?;
        let socket =
            socket.with_context(|| format!("tapping {DEVICE} of {}", netns.path().display()))?;
        Ok(Self { socket, macs })
    }

    /// The hardware address of this end.
    pub(in crate::diff) fn mac(&self) -> [u8; 6] {
        self.macs.near
    }

    /// Sends a first packet to the node.
    pub(in crate::diff) fn send(&self, opening: &Opening) -> Result<()> {
        let frame = opening.frame(self.macs)?;
        match send(&self.socket, &frame, SendFlags::empty()) {
            // It counts as lost on the way.
            Ok(_) | Err(Errno::NOBUFS) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("sending {opening:?}")),
        }
    }

    /// Hands over every frame that has come from the node, and says how many there were.
    pub(in crate::diff) fn drain(&self, mut take: impl FnMut(&[u8])) -> Result<usize> {
        let mut buffer = [0; LONGEST];
        let mut count = 0;
        loop {
            match recv(&self.socket, &mut buffer, RecvFlags::DONTWAIT) {
                Ok((length, _)) => take(&buffer[..length]),
                Err(Errno::AGAIN) => return Ok(count),
                Err(error) => return Err(error).context("receiving frames"),
            }
            count += 1;
        }
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// In this thread's network namespace.
fn open() -> Result<OwnedFd> {
    // Without a protocol nothing is received yet.
    let socket = socket_with(AddressFamily::PACKET, SocketType::RAW, SocketFlags::CLOEXEC, None)
        .context("making a socket")?;
    set_socket_recv_buffer_size_force(&socket, ROOM).context("making room for frames")?;
    set(&socket, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 1)
        .context("leaving out what is sent here")?;
    let index = name_to_index(&socket, DEVICE)?;
    bind(&socket, i32::try_from(index)?).context("binding")?;
    Ok(socket)
}

fn bind(socket: &OwnedFd, index: i32) -> io::Result<()> {
    // SAFETY: all-zero bytes are a valid address.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = AddressFamily::PACKET.as_raw();
    address.sll_protocol = EVERYTHING.to_be();
    address.sll_ifindex = index;
    let address = (&raw const address).cast();
    // SAFETY: the pointer is to a live address of that length.
    let outcome = unsafe { libc::bind(socket.as_raw_fd(), address, LENGTH) };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
