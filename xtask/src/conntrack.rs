//! Netfilter's own request to forget its flows.

use std::{
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

/// Delete, by conntrack's part of nfnetlink: without a tuple it is everything.
const DELETE: u16 = (1 << 8) | 2;

/// Of the request.
const LENGTH: u32 = 20;

/// It is a request, and an answer is wanted.
const FLAGS: u16 = 1 | 4;

/// No family, which is every family.
const ANY: u8 = 0;

/// The header of netlink and that of nfnetlink.
#[repr(C)]
struct Flush {
    length: u32,
    kind: u16,
    flags: u16,
    sequence: u32,
    port: u32,
    family: u8,
    version: u8,
    resource: u16,
}

/// Forgets all flows of this thread's network namespace.
pub fn flush() -> io::Result<()> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: the call takes numbers only.
    let socket = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_NETFILTER) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made the descriptor for us alone.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    let flush = Flush {
        length: LENGTH,
        kind: DELETE,
        flags: FLAGS,
        sequence: 1,
        port: 0,
        family: ANY,
        version: 0,
        resource: 0,
    };
    // SAFETY: the pointer is to a live value of that size.
    let sent =
        unsafe { libc::send(socket.as_raw_fd(), (&raw const flush).cast(), LENGTH as usize, 0) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { acknowledged(&socket) }
}

/// Reads the answer: a header and an error number, zero if all is well.
fn acknowledged(socket: &OwnedFd) -> io::Result<()> {
    let mut answer = [0_u8; 256];
    // SAFETY: the pointer is to live memory of that size.
    let length = unsafe {
        libc::recv(socket.as_raw_fd(), answer.as_mut_ptr().cast(), size_of_val(&answer), 0)
    };
    if length < 20 {
        return Err(io::Error::last_os_error());
    }
    match i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]) {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(-error)),
    }
}
