//! Clients that ask once and are told who answered.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket},
    time::Duration,
};

/// What carries a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// A connection of its own for each request.
    Tcp,
    /// A connected socket of its own for each request, which takes answers from the address that
    /// was asked and from no other.
    Udp,
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
    let text = match protocol {
        Protocol::Tcp => ask_tcp(address, patience)?,
        Protocol::Udp => ask_udp(address, patience)?,
    };
    let mut words = text.split_whitespace();
    match (words.next(), words.next().map(str::parse)) {
        (Some(server), Some(Ok(client))) => Ok(Answer { server: server.to_owned(), client }),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, text)),
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

fn ask_tcp(address: SocketAddr, patience: Duration) -> io::Result<String> {
    let mut body = String::new();
    let (mut reader, length) = get(address, "/", patience)?;
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
