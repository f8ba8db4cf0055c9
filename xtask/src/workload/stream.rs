//! A slow endless stream of numbered blocks, of which the receiver knows every byte.

use std::{
    io::{self, Read as _, Write},
    net::SocketAddr,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use super::client::get;

/// Bytes of a block.
pub const BLOCK: usize = 1024;

/// Between two blocks.
const PAUSE: Duration = Duration::from_millis(5);

/// Blocks that a receiver still takes once its end is wanted: what was broken shows there.
const MORE: u32 = 40;

/// How far a receiver is, and how far it is to go.
#[derive(Debug)]
pub struct Progress {
    arrived: AtomicU32,
    last: AtomicU32,
}

impl Progress {
    /// Nothing has arrived, and no end is known.
    #[must_use]
    pub const fn new() -> Self {
        Self { arrived: AtomicU32::new(0), last: AtomicU32::new(u32::MAX) }
    }

    /// Blocks that have arrived and were right.
    #[must_use]
    pub fn arrived(&self) -> u32 {
        self.arrived.load(Ordering::Relaxed)
    }

    /// Lets the receiver take some more blocks and end.
    pub fn finish(&self) {
        self.last.store(self.arrived().saturating_add(MORE), Ordering::Relaxed);
    }

    fn is_complete(&self) -> bool {
        self.arrived() >= self.last.load(Ordering::Relaxed)
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

/// The content of a block: its number over and over.
fn block(number: u32) -> Vec<u8> {
    format!("{number:015}\n").repeat(BLOCK / 16).into_bytes()
}

/// Sends until the receiver has gone.
pub(super) fn send_stream(writer: &mut impl Write) -> io::Result<()> {
    write!(writer, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
    for number in 0.. {
        writer.write_all(&block(number))?;
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// Receives a stream until its end is wanted, and compares every byte.
pub fn receive_stream(
    address: SocketAddr,
    patience: Duration,
    progress: &Progress,
) -> io::Result<()> {
    let (mut reader, _) = get(address, "/stream", patience)?;
    let mut bytes = [0; BLOCK];
    while !progress.is_complete() {
        let number = progress.arrived();
        reader.read_exact(&mut bytes)?;
        if bytes[..] != block(number) {
            return Err(io::Error::other(format!("block {number} is not what was sent")));
        }
        progress.arrived.store(number + 1, Ordering::Relaxed);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;

    use super::{Progress, block, receive_stream, send_stream};
    use crate::workload::stream::PAUSE;

    /// Receives what `send` writes to the one connection, to the end.
    fn receive(send: impl FnOnce(std::net::TcpStream) + Send) -> (bool, u32) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, progress) = (listener.local_addr().unwrap(), Progress::new());
        std::thread::scope(|scope| {
            scope.spawn(|| send(asked(listener.accept().unwrap().0)));
            progress.finish();
            let outcome = receive_stream(address, PAUSE * 1000, &progress);
            (outcome.is_ok(), progress.arrived())
        })
    }

    /// The connection when its request was read: closed with one that was not, it would be reset
    /// and take what was sent with it.
    fn asked(connection: std::net::TcpStream) -> std::net::TcpStream {
        let lines = BufReader::new(&connection).lines();
        lines.map(Result::unwrap).take_while(|line| !line.is_empty()).for_each(drop);
        connection
    }

    #[test]
    fn a_stream_is_received_until_its_end_is_wanted() {
        assert_eq!(receive(|mut to| drop(send_stream(&mut to))), (true, super::MORE));
    }

    #[test]
    fn a_block_that_is_missing_is_found() {
        let send = |mut to: std::net::TcpStream| {
            let sent = [b"HTTP/1.1 200 OK\r\n\r\n", &block(0)[..], &block(2)].concat();
            to.write_all(&sent).unwrap();
        };
        assert_eq!(receive(send), (false, 1));
    }
}
