//! The server: one dual-stack port, TCP and UDP.

use std::{
    io::{self, BufReader, Write as _},
    net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    thread,
};

use anyhow::{Context as _, Result};

use super::stream::send_stream;

/// The hidden verb that runs [`serve`].
pub const SERVER: &str = "demo-server";

/// Where an answer of many segments is to be had.
pub const LARGE: &str = "/large";

/// Answers on a port with `name` until it is killed; prints `ready` once it listens.
pub fn serve(name: &str, port: u16) -> Result<()> {
    let address = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let udp = UdpSocket::bind(address).with_context(|| format!("listening on UDP {address}"))?;
    let tcp = TcpListener::bind(address).with_context(|| format!("listening on TCP {address}"))?;
    writeln!(io::stdout(), "ready")?;
    thread::scope(|scope| {
        scope.spawn(|| echo(&udp, name));
        for connection in tcp.incoming().filter_map(Result::ok) {
            // A client that goes away is no concern of the others.
            scope.spawn(|| converse(connection, name));
        }
    });
    Ok(())
}

/// What a client is told.
fn introduction(name: &str, client: SocketAddr) -> String {
    let client = SocketAddr::new(client.ip().to_canonical(), client.port());
    format!("{name} {client}\n")
}

/// An answer is at least as long as what it answers.
fn echo(socket: &UdpSocket, name: &str) {
    let mut asked = [0; 65_536];
    loop {
        // An error here is an ICMP message about an earlier answer.
        if let Ok((length, client)) = socket.recv_from(&mut asked) {
            let mut answer = introduction(name, client).into_bytes();
            answer.resize(answer.len().max(length), b'.');
            let _ = socket.send_to(&answer, client);
        }
    }
}

/// Answers the requests of one connection until the client closes it.
fn converse(connection: TcpStream, name: &str) -> io::Result<()> {
    let client = connection.peer_addr()?;
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut writer = connection;
    while let Some(path) = read_request(&mut reader)? {
        if path == "/stream" {
            return send_stream(&mut writer);
        }
        let mut body = introduction(name, client);
        if path == LARGE {
            body += &" ".repeat(300_000);
        }
        write!(writer, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
    }
    Ok(())
}

/// Reads one request; its path, or nothing at the end of the connection.
fn read_request(reader: &mut impl io::BufRead) -> io::Result<Option<String>> {
    let mut path = None;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match (path.take(), line.trim_end()) {
            (None, first) => {
                path = Some(first.split(' ').nth(1).unwrap_or_default().to_owned());
            }
            (path, "") => return Ok(path),
            (known, _) => path = known,
        }
    }
}
