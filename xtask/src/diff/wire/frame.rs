//! The first packet of a flow.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context as _, Result, bail};
use etherparse::{
    IpHeaders, IpNumber, Ipv4Extensions, Ipv4Header, Ipv6Extensions, Ipv6Header, PacketBuilder,
};

use super::{init::init, link::Macs};
use crate::diff::probe::Protocol;

/// Begins every datagram.
const GREETING: [u8; 12] = *b"waggle-diff ";

/// As most stacks have it.
const TTL: u8 = 64;

/// The window of a SYN, in bytes.
const WINDOW: u16 = 64_240;

/// A first packet, which tells its flow's number: by its sequence number or by its payload. No
/// translation changes either, and a refusal quotes both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::diff) struct Opening {
    pub(in crate::diff) from: SocketAddr,
    pub(in crate::diff) to: SocketAddr,
    pub(in crate::diff) protocol: Protocol,
    pub(in crate::diff) number: u32,
}

impl Opening {
    /// The frame that carries it.
    pub(super) fn frame(&self, macs: Macs) -> Result<Vec<u8>> {
        let Self { from, to, protocol, number } = *self;
        let Macs { near, far } = macs;
        let builder = PacketBuilder::ethernet2(near, far).ip(self.headers()?);
        let mut frame = Vec::with_capacity(128);
        match protocol {
            Protocol::Tcp => {
                builder.tcp(from.port(), to.port(), number, WINDOW).syn().write(&mut frame, &[])
            }
            Protocol::Udp => {
                builder.udp(from.port(), to.port()).write(&mut frame, &datagram(number))
            }
            Protocol::Sctp => {
                let packet = init(from.port(), to.port(), number);
                builder.write(&mut frame, IpNumber::SCTP, &packet)
            }
        }
        .with_context(|| format!("writing {self:?}"))?;
        Ok(frame)
    }

    fn headers(&self) -> Result<IpHeaders> {
        match (self.from.ip(), self.to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let header = Ipv4Header {
                    time_to_live: TTL,
                    source: from.octets(),
                    destination: to.octets(),
                    ..Ipv4Header::default()
                };
                Ok(IpHeaders::Ipv4(header, Ipv4Extensions::default()))
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let header = Ipv6Header {
                    hop_limit: TTL,
                    source: from.octets(),
                    destination: to.octets(),
                    ..Ipv6Header::default()
                };
                Ok(IpHeaders::Ipv6(header, Ipv6Extensions::default()))
            }
            (from, to) => bail!("no packet goes from {from} to {to}"),
        }
    }
}

/// The payload that tells a flow's number.
pub(in crate::diff) fn datagram(number: u32) -> [u8; 16] {
    let mut payload = [0; 16];
    payload[..12].copy_from_slice(&GREETING);
    payload[12..].copy_from_slice(&number.to_be_bytes());
    payload
}

/// The number that a payload tells, if it is one of ours.
pub(super) fn number(payload: &[u8]) -> Option<u32> {
    let number = payload.strip_prefix(&GREETING)?.first_chunk()?;
    Some(u32::from_be_bytes(*number))
}
