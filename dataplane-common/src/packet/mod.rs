//! Packet views: validated reads of one header each, the parser that joins them, and what changes
//! packets: checksums, rewrites, ICMP errors.
//!
//! ```text
//! bytes --eth--> l3 --ipv4 | ipv6--> l4 --l4 | icmp--> Packet
//! ```

mod answer;
mod arp;
mod bytes;
mod checksum;
mod eth;
mod icmp;
mod ip;
mod ipv4;
mod ipv6;
mod l4;
mod parse;
mod reset;
mod rewrite;
#[cfg(test)]
mod tests;

pub use answer::{Headers, QUOTE_MAX, Quote, answer, may_answer, quote, quote_length};
pub use arp::arp_sender;
pub use bytes::{Bytes, BytesMut, TooShort};
pub use checksum::{Checksum, Sum};
pub use icmp::{Quoted, quoted};
pub use ip::{IcmpError, IpAddress, IpHeader, Payload};
pub use l4::checksum_offset;
pub use parse::{
    Framing, Packet, ParseError, Parsed, TcpFlags, Transport, locate, parse, parse_ip, parse_l3,
};
pub use reset::{Reset, may_reset};
pub use rewrite::{address_diff, apply, apply_related, header_diff, port_diff, rewrite_header};
