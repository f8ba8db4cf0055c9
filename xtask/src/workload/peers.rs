//! A client that tells whom it is said to talk to, and whom the kernel talks to.

use std::{
    fs,
    io::{self, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket},
    str::FromStr,
    time::Duration,
};

use anyhow::bail;

/// The hidden verb that runs [`peers_and_tell`].
pub const PEERS: &str = "demo-peers";

/// How a client talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Talk {
    /// By a connection.
    Tcp,
    /// By a UDP socket that is connected, and has sent something by then.
    Udp,
    /// By a UDP socket that is not.
    Datagram,
}

/// The peer of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peers {
    /// As the process is told: by getpeername, or as the source of the answer.
    pub told: SocketAddr,
    /// As the kernel has it; none where the socket is not connected.
    pub kernel: Option<SocketAddr>,
}

impl Talk {
    /// As it is written where programs are started.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Datagram => "datagram",
        }
    }
}

impl FromStr for Talk {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> anyhow::Result<Self> {
        let all = [Self::Tcp, Self::Udp, Self::Datagram];
        match all.into_iter().find(|talk| talk.name() == name) {
            Some(talk) => Ok(talk),
            None => bail!("{name} is no way to talk: tcp, udp and datagram are"),
        }
    }
}

/// Talks to an address, and writes who the peer is for [`peers_told`].
pub fn peers_and_tell(talk: Talk, address: SocketAddr, patience: Duration) -> io::Result<()> {
    match peers(talk, address, patience) {
        Ok(Peers { told, kernel }) => {
            let kernel = kernel.map_or_else(|| "-".to_owned(), |kernel| kernel.to_string());
            writeln!(io::stdout(), "{told} {kernel}")
        }
        Err(error) => match error.raw_os_error() {
            Some(number) => writeln!(io::stdout(), "errno {number}"),
            None => writeln!(io::stdout(), "error {error}"),
        },
    }
}

/// What a process has written by [`peers_and_tell`].
pub fn peers_told(text: &str) -> io::Result<Peers> {
    let unreadable = || io::Error::new(io::ErrorKind::InvalidData, text);
    let (first, second) = text.trim_end().split_once(' ').ok_or_else(unreadable)?;
    if first == "errno" {
        let number = second.parse().map_err(|_| unreadable())?;
        return Err(io::Error::from_raw_os_error(number));
    }
    let told = first.parse().map_err(|_| unreadable())?;
    Ok(Peers { told, kernel: second.parse().ok() })
}

fn peers(talk: Talk, address: SocketAddr, patience: Duration) -> io::Result<Peers> {
    match talk {
        Talk::Tcp => {
            let socket = TcpStream::connect_timeout(&address, patience)?;
            let told = socket.peer_addr()?;
            Ok(Peers { told, kernel: kernel_peer("tcp", socket.local_addr()?)? })
        }
        Talk::Udp => {
            let socket = bound(address)?;
            socket.set_read_timeout(Some(patience))?;
            socket.connect(address)?;
            socket.send(b"who?\n")?;
            socket.recv(&mut [0; 512])?;
            let told = socket.peer_addr()?;
            Ok(Peers { told, kernel: kernel_peer("udp", socket.local_addr()?)? })
        }
        Talk::Datagram => {
            let socket = bound(address)?;
            socket.set_read_timeout(Some(patience))?;
            socket.send_to(b"who?\n", address)?;
            let (_, told) = socket.recv_from(&mut [0; 512])?;
            Ok(Peers { told, kernel: None })
        }
    }
}

fn bound(peer: SocketAddr) -> io::Result<UdpSocket> {
    let any: IpAddr = match peer {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    UdpSocket::bind((any, 0))
}

/// The peer of the socket with a local address, as the kernel lists it for its network namespace.
fn kernel_peer(protocol: &str, local: SocketAddr) -> io::Result<Option<SocketAddr>> {
    let file = if local.is_ipv4() { protocol.to_owned() } else { format!("{protocol}6") };
    let text = fs::read_to_string(format!("/proc/thread-self/net/{file}"))?;
    let sockets = text.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        Some((listed(fields.next()?)?, listed(fields.next()?)?))
    });
    Ok(sockets.into_iter().find(|(own, _)| *own == local).map(|(_, peer)| peer))
}

/// An address as the kernel lists it: words in the machine's order, then the port.
fn listed(text: &str) -> Option<SocketAddr> {
    let (addr, port) = text.split_once(':')?;
    let words: Vec<[u8; 4]> = (0..addr.len() / 8)
        .map(|place| u32::from_str_radix(addr.get(place * 8..place * 8 + 8)?, 16).ok())
        .map(|word| word.map(u32::to_ne_bytes))
        .collect::<Option<_>>()?;
    let ip: IpAddr = match words[..] {
        [v4] => v4.into(),
        [_, _, _, _] => <[u8; 16]>::try_from(words.concat()).ok()?.into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_the_kernel_lists_them() {
        for (text, expected) in [
            ("0100007F:1F90", "127.0.0.1:8080"),
            ("B80D01200000000000000000010000A0:0050", "[2001:db8::a000:1]:80"),
        ] {
            assert_eq!(listed(text), Some(expected.parse().unwrap()), "{text}");
        }
    }
}
