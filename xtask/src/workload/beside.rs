//! A client of two servers at a time, by one and the same port of its own.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream, UdpSocket},
    os::fd::OwnedFd,
    sync::Arc,
    time::Duration,
};

use rustix::net::{
    AddressFamily, SocketType, bind, connect, socket,
    sockopt::{Timeout, set_socket_reuseaddr, set_socket_timeout},
};

use super::{Answer, Talk};

/// The hidden verb that runs [`beside_and_tell`].
pub const BESIDE: &str = "demo-beside";

/// Talks as [`beside`] does, and writes what came of it for [`beside_told`].
pub fn beside_and_tell(
    talk: Talk,
    port: u16,
    addresses: [SocketAddr; 2],
    patience: Duration,
) -> io::Result<()> {
    match beside(talk, port, addresses, patience) {
        Ok([first, second]) => {
            let Answer { server, client } = second;
            writeln!(io::stdout(), "{} {} {server} {client}", first.server, first.client)
        }
        Err(error) => match error.raw_os_error() {
            Some(number) => writeln!(io::stdout(), "errno {number}"),
            None => writeln!(io::stdout(), "error {error}"),
        },
    }
}

/// What a process has written by [`beside_and_tell`].
pub fn beside_told(text: &str) -> io::Result<[Answer; 2]> {
    let words: Vec<_> = text.split_whitespace().collect();
    match words[..] {
        ["errno", number] => {
            Err(number.parse().map_or_else(io::Error::other, io::Error::from_raw_os_error))
        }
        [first, first_client, second, second_client] if first != "error" => Ok([
            format!("{first} {first_client}").parse()?,
            format!("{second} {second_client}").parse()?,
        ]),
        _ => Err(io::Error::other(text.to_owned())),
    }
}

/// Talks to two addresses in turn, twice, and ends both talks: each answer must come from where the
/// question went, and those of one socket's peer be the same both times. A port of 0 is the kernel's choice for each socket.
fn beside(
    talk: Talk,
    port: u16,
    [first, second]: [SocketAddr; 2],
    patience: Duration,
) -> io::Result<[Answer; 2]> {
    let mut talks = match talk {
        Talk::Tcp => [Peer::connection(port, first, patience)?, Peer::Later],
        Talk::Udp => [Peer::connected(port, first, patience)?, Peer::Later],
        Talk::Datagram => {
            let socket =
                Arc::new(UdpSocket::from(bound(SocketType::DGRAM, port, first, patience)?));
            [Peer::Datagrams(Arc::clone(&socket), first), Peer::Datagrams(socket, second)]
        }
    };
    let before = talks[0].ask()?;
    match talk {
        Talk::Tcp => talks[1] = Peer::connection(port, second, patience)?,
        Talk::Udp => talks[1] = Peer::connected(port, second, patience)?,
        Talk::Datagram => {}
    }
    let early = [before, talks[1].ask()?];
    let late = [talks[0].ask()?, talks[1].ask()?];
    if early != late && talk != Talk::Datagram {
        return Err(io::Error::other(format!("{early:?} and then {late:?}")));
    }
    talks.into_iter().try_for_each(Peer::end)?;
    Ok(late)
}

/// Somebody who is talked to.
enum Peer {
    Connection(BufReader<TcpStream>),
    Connected(UdpSocket),
    Datagrams(Arc<UdpSocket>, SocketAddr),
    /// Nobody yet.
    Later,
}

impl Peer {
    fn connection(port: u16, peer: SocketAddr, patience: Duration) -> io::Result<Self> {
        let socket = bound(SocketType::STREAM, port, peer, patience)?;
        connect(&socket, &peer)?;
        Ok(Self::Connection(BufReader::new(TcpStream::from(socket))))
    }

    fn connected(port: u16, peer: SocketAddr, patience: Duration) -> io::Result<Self> {
        let socket = bound(SocketType::DGRAM, port, peer, patience)?;
        connect(&socket, &peer)?;
        Ok(Self::Connected(UdpSocket::from(socket)))
    }

    fn ask(&mut self) -> io::Result<Answer> {
        let mut bytes = [0; 512];
        let length = match self {
            Self::Connection(stream) => return request(stream),
            Self::Connected(socket) => {
                socket.send(b"who?\n")?;
                socket.recv(&mut bytes)?
            }
            Self::Datagrams(socket, peer) => {
                socket.send_to(b"who?\n", *peer)?;
                let (length, from) = socket.recv_from(&mut bytes)?;
                if from != *peer {
                    return Err(io::Error::other(format!("{peer} was asked and {from} answers")));
                }
                length
            }
            Self::Later => return Err(io::ErrorKind::NotConnected.into()),
        };
        String::from_utf8_lossy(&bytes[..length]).parse()
    }

    /// Ends a connection as its client does, and waits for its server to end it too.
    fn end(self) -> io::Result<()> {
        if let Self::Connection(mut stream) = self {
            stream.get_ref().shutdown(Shutdown::Write)?;
            let rest = stream.read_to_end(&mut Vec::new())?;
            if rest > 0 {
                return Err(io::Error::other(format!("{rest} bytes after the end")));
            }
        }
        Ok(())
    }
}

fn request(stream: &mut BufReader<TcpStream>) -> io::Result<Answer> {
    stream.get_mut().write_all(b"GET / HTTP/1.1\r\n\r\n")?;
    let mut head = [const { String::new() }; 3];
    for line in &mut head {
        stream.read_line(line)?;
    }
    let length = head[1].trim_end().rsplit(' ').next().and_then(|length| length.parse().ok());
    let mut body = vec![0; length.ok_or(io::ErrorKind::InvalidData)?];
    stream.read_exact(&mut body)?;
    String::from_utf8_lossy(&body).parse()
}

/// A socket of a port that others may have too.
fn bound(kind: SocketType, port: u16, peer: SocketAddr, patience: Duration) -> io::Result<OwnedFd> {
    let (family, any): (_, IpAddr) = match peer {
        SocketAddr::V4(_) => (AddressFamily::INET, Ipv4Addr::UNSPECIFIED.into()),
        SocketAddr::V6(_) => (AddressFamily::INET6, Ipv6Addr::UNSPECIFIED.into()),
    };
    let socket = socket(family, kind, None)?;
    set_socket_timeout(&socket, Timeout::Recv, Some(patience))?;
    set_socket_timeout(&socket, Timeout::Send, Some(patience))?;
    if port != 0 {
        set_socket_reuseaddr(&socket, true)?;
        bind(&socket, &SocketAddr::new(any, port))?;
    }
    Ok(socket)
}
