//! Options of sockets that nothing else sets.

use std::{
    io,
    os::fd::{AsRawFd as _, OwnedFd},
};

/// Of a number.
const LENGTH: libc::socklen_t = 4;

/// Sets an option that is a number.
pub(super) fn set(socket: &OwnedFd, level: i32, option: i32, value: i32) -> io::Result<()> {
    let value = (&raw const value).cast();
    // SAFETY: the pointer is to a live number of that length.
    let outcome = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, value, LENGTH) };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
