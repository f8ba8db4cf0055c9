//! A client that tells what it learns of the path to its peer.

use std::{
    ffi::{c_int, c_void},
    io::{self, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    os::fd::AsRawFd as _,
    time::{Duration, Instant},
};

/// The hidden verb that runs [`path_and_tell`].
pub const PATH: &str = "demo-path";

/// Bytes of a datagram that fits an Ethernet link and none that is much narrower.
const LARGE: usize = 1430;

/// How often a datagram is sent while nothing is learned.
const PAUSE: Duration = Duration::from_millis(50);

/// Sends large datagrams that nobody may fragment until a router's answer has come to the socket, and
/// writes the MTU that the kernel then knows; `nothing` after all patience.
pub fn path_and_tell(peer: SocketAddr, patience: Duration) -> io::Result<()> {
    let (level, discover, known, any) = match peer {
        SocketAddr::V4(_) => (
            libc::IPPROTO_IP,
            (libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DO),
            libc::IP_MTU,
            IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        ),
        SocketAddr::V6(_) => (
            libc::IPPROTO_IPV6,
            (libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_DO),
            libc::IPV6_MTU,
            IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        ),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(peer)?;
    socket.set_read_timeout(Some(PAUSE))?;
    set(&socket, level, discover.0, discover.1)?;
    let started = Instant::now();
    while started.elapsed() < patience {
        let outcome = socket.send(&[b'?'; LARGE]).and_then(|_| socket.recv(&mut [0; 2 * LARGE]));
        if outcome.is_err_and(|error| error.raw_os_error() == Some(libc::EMSGSIZE)) {
            return writeln!(io::stdout(), "{}", get(&socket, level, known)?);
        }
    }
    writeln!(io::stdout(), "nothing")
}

fn set(socket: &UdpSocket, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    // SAFETY: the pointer is to a live c_int of the size that is given.
    let outcome = unsafe {
        let value = (&raw const value).cast::<c_void>();
        libc::setsockopt(socket.as_raw_fd(), level, name, value, LENGTH)
    };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn get(socket: &UdpSocket, level: c_int, name: c_int) -> io::Result<c_int> {
    let (mut value, mut length) = (0, LENGTH);
    // SAFETY: both pointers are to live values, and the length is that of the first.
    let outcome = unsafe {
        let value = (&raw mut value).cast::<c_void>();
        libc::getsockopt(socket.as_raw_fd(), level, name, value, &raw mut length)
    };
    if outcome == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

#[expect(clippy::cast_possible_truncation, reason = "four")]
const LENGTH: libc::socklen_t = size_of::<c_int>() as libc::socklen_t;
