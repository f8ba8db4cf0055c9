//! A slow stream of numbered blocks, of which the receiver knows every byte.

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

/// Between two blocks: long enough that a stream outlives what is done to it meanwhile.
const PAUSE: Duration = Duration::from_millis(2);

/// The content of a block: its number over and over.
fn block(number: u32) -> Vec<u8> {
    format!("{number:015}\n").repeat(BLOCK / 16).into_bytes()
}

pub(super) fn send_stream(writer: &mut impl Write, blocks: u32) -> io::Result<()> {
    let length = u64::from(blocks) * BLOCK as u64;
    write!(writer, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n")?;
    for number in 0..blocks {
        writer.write_all(&block(number))?;
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// Receives a stream whole and compares every byte; `arrived` counts the blocks meanwhile.
pub fn receive_stream(
    address: SocketAddr,
    blocks: u32,
    patience: Duration,
    arrived: &AtomicU32,
) -> io::Result<()> {
    let (mut reader, _) = get(address, &format!("/stream/{blocks}"), patience)?;
    let mut bytes = [0; BLOCK];
    for number in 0..blocks {
        reader.read_exact(&mut bytes)?;
        if bytes[..] != block(number) {
            return Err(io::Error::other(format!("block {number} is not what was sent")));
        }
        arrived.store(number + 1, Ordering::Relaxed);
    }
    Ok(())
}
