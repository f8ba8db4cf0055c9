//! The process of the node: opens a socket for each flow, and tells which were refused.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    os::fd::OwnedFd,
};

use anyhow::{Context as _, Result};
use rustix::{
    io::Errno,
    net::{
        AddressFamily, SendFlags, SocketFlags, SocketType, connect, ipproto, send, sendto,
        socket_with, sockopt::socket_error,
    },
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

use super::{Order, Start};
use crate::diff::{
    option::set,
    probe::Protocol,
    wire::{datagram, init},
};

/// The hidden verb that runs [`work`].
pub(in crate::diff) const WORKER: &str = "diff-sockets";

/// As `linux/tcp.h` has it.
const TCP_SEND_QUEUE: i32 = 2;

/// Follows orders from standard input until that ends.
pub(in crate::diff) fn work() -> Result<()> {
    raise_limit()?;
    let mut flows = Vec::new();
    for line in io::stdin().lines() {
        let answer: Vec<u32> = match serde_json::from_str(&line?)? {
            Order::Begin(starts) => {
                for start in starts {
                    flows.push(Flow::begin(start).with_context(|| format!("{start:?}"))?);
                }
                Vec::new()
            }
            Order::End => flows.drain(..).filter_map(Flow::end).collect(),
        };
        writeln!(io::stdout(), "{}", serde_json::to_string(&answer)?)?;
    }
    Ok(())
}

/// A socket for each flow is more than most limits allow.
fn raise_limit() -> Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .context("raising the limit of open files")
}

/// A flow that has begun, with its socket unless it was refused at once.
struct Flow {
    number: u32,
    socket: Option<OwnedFd>,
}

impl Flow {
    fn begin(start: Start) -> Result<Self> {
        let socket = match start.protocol {
            Protocol::Tcp => open(start)?,
            Protocol::Udp => greet(start)?,
            Protocol::Sctp => associate(start)?,
        };
        Ok(Self { number: start.number, socket })
    }

    /// Its number, if it was refused.
    fn end(self) -> Option<u32> {
        let is_refused = match &self.socket {
            Some(socket) => matches!(socket_error(socket), Ok(Err(Errno::CONNREFUSED))),
            None => true,
        };
        is_refused.then_some(self.number)
    }
}

/// Sends a SYN whose sequence number is the flow's number.
fn open(start: Start) -> Result<Option<OwnedFd>> {
    let Start { number, to, .. } = start;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family(to), SocketType::STREAM, flags, None)?;
    // A connection that begins keeps the number that it was given while in repair.
    for (option, value) in [
        (libc::TCP_REPAIR, 1),
        (libc::TCP_REPAIR_QUEUE, TCP_SEND_QUEUE),
        (libc::TCP_QUEUE_SEQ, number.cast_signed()),
        (libc::TCP_REPAIR, 0),
    ] {
        set(&socket, libc::IPPROTO_TCP, option, value).context("choosing a sequence number")?;
    }
    settle(connect(&socket, &to), socket)
}

/// Sends a datagram, by every second socket without connecting it.
fn greet(start: Start) -> Result<Option<OwnedFd>> {
    let Start { number, to, .. } = start;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family(to), SocketType::DGRAM, flags, None)?;
    let payload = datagram(number);
    let sent = if number.is_multiple_of(2) {
        connect(&socket, &to).and_then(|()| send(&socket, &payload, SendFlags::empty()))
    } else {
        hear_errors(&socket, to)?;
        sendto(&socket, &payload, SendFlags::empty(), &to)
    };
    settle(sent.map(drop), socket)
}

/// Sends an INIT from the port that the number has as its lower half; what is connected is told of
/// refusals.
fn associate(start: Start) -> Result<Option<OwnedFd>> {
    let Start { number, to, .. } = start;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family(to), SocketType::RAW, flags, Some(ipproto::SCTP))?;
    let [_, _, high, low] = number.to_be_bytes();
    let packet = init(u16::from_be_bytes([high, low]), to.port(), number);
    let sent = connect(&socket, &SocketAddr::new(to.ip(), 0))
        .and_then(|()| send(&socket, &packet, SendFlags::empty()));
    settle(sent.map(drop), socket)
}

/// A flow whose packet is dropped on its way out has begun nevertheless: netfilter has that told as
/// the one error, a device's programs as the other.
fn settle(outcome: rustix::io::Result<()>, socket: OwnedFd) -> Result<Option<OwnedFd>> {
    match outcome {
        Ok(()) | Err(Errno::INPROGRESS | Errno::PERM | Errno::NOBUFS) => Ok(Some(socket)),
        Err(Errno::CONNREFUSED) => Ok(None),
        Err(other) => Err(other).context("beginning a flow"),
    }
}

/// A socket that is not connected is told of refusals only if it asks.
fn hear_errors(socket: &OwnedFd, to: SocketAddr) -> Result<()> {
    let (level, option) = match to {
        SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_RECVERR),
        SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_RECVERR),
    };
    set(socket, level, option, 1).context("asking for errors")
}

fn family(to: SocketAddr) -> AddressFamily {
    match to {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    }
}
