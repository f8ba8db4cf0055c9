//! Clients that ask once and are told who answered.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket},
    str::FromStr,
    time::Duration,
};

use anyhow::bail;

/// The hidden verb that runs [`ask_and_tell`].
pub const ASK: &str = "demo-ask";

/// What carries a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// A connection of its own for each request.
    Tcp,
    /// A connected socket of its own for each request, which takes answers from the address that
    /// was asked and from no other.
    Udp,
}

impl Protocol {
    /// As it is written where programs are started.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl FromStr for Protocol {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> anyhow::Result<Self> {
        match name {
            "tcp" => Ok(Self::Tcp),
            "udp" => Ok(Self::Udp),
            other => bail!("{other} is no protocol: tcp and udp are"),
        }
    }
}

/// What a server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Who answered.
    pub server: String,
    /// The client's address as the server saw it.
    pub client: SocketAddr,
}

/// Asks whoever answers at `address`, and waits for `patience` at most at each step.
pub fn ask(protocol: Protocol, address: SocketAddr, patience: Duration) -> io::Result<Answer> {
    match protocol {
        Protocol::Tcp => fetch(address, "/", patience)?,
        Protocol::Udp => ask_udp(address, patience)?,
    }
    .parse()
}

impl FromStr for Answer {
    type Err = io::Error;

    fn from_str(text: &str) -> io::Result<Self> {
        let mut words = text.split_whitespace();
        match (words.next(), words.next().map(str::parse)) {
            (Some(server), Some(Ok(client))) => Ok(Self { server: server.to_owned(), client }),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, text)),
        }
    }
}

/// Asks as a process of its own, and writes what came of it for [`told`].
pub fn ask_and_tell(protocol: Protocol, address: SocketAddr, patience: Duration) -> io::Result<()> {
    match ask(protocol, address, patience) {
        Ok(Answer { server, client }) => writeln!(io::stdout(), "{server} {client}"),
        Err(error) => match error.raw_os_error() {
            Some(number) => writeln!(io::stdout(), "errno {number}"),
            None => writeln!(io::stdout(), "error {error}"),
        },
    }
}

/// What a process that asked has written.
pub fn told(text: &str) -> io::Result<Answer> {
    match text.trim_end().split_once(' ') {
        Some(("errno", number)) => {
            Err(number.parse().map_or_else(io::Error::other, io::Error::from_raw_os_error))
        }
        Some(("error", message)) => Err(io::Error::other(message.to_owned())),
        Some(_) | None => text.parse(),
    }
}

fn ask_udp(address: SocketAddr, patience: Duration) -> io::Result<String> {
    let any: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(patience))?;
    socket.send(b"who?\n")?;
    let mut answer = [0; 512];
    let length = socket.recv(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}

/// Gets what a server has at a path.
pub fn fetch(address: SocketAddr, path: &str, patience: Duration) -> io::Result<String> {
    let mut body = String::new();
    let (mut reader, length) = get(address, path, patience)?;
    reader.by_ref().take(length).read_to_string(&mut body)?;
    Ok(body)
}

/// Sends one request; the answer's body and its length follow.
pub(super) fn get(
    address: SocketAddr,
    path: &str,
    patience: Duration,
) -> io::Result<(BufReader<TcpStream>, u64)> {
    let mut connection = TcpStream::connect_timeout(&address, patience)?;
    connection.set_read_timeout(Some(patience))?;
    connection.set_write_timeout(Some(patience))?;
    write!(connection, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
    let mut reader = BufReader::new(connection);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end().split_once(": ") {
            Some(("Content-Length", number)) => {
                length = number.parse().map_err(|_| io::Error::other(line.clone()))?;
            }
            Some(_) => {}
            None if line.trim_end().is_empty() => return Ok((reader, length)),
            None => {}
        }
    }
}
