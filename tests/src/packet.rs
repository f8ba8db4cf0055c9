//! Packets in the words of a test: `Packet::tcp("10.1.1.2:40000", "10.96.0.10:80").syn()`.

use std::net::{IpAddr, SocketAddr};

use etherparse::{
    IpFragOffset, IpHeaders, IpNumber, Ipv4Extensions, Ipv4Header, Ipv6Extensions,
    Ipv6FragmentHeader, Ipv6Header, PacketBuilder, TcpHeader,
};

use crate::sctp;

/// Hardware addresses of a frame: destination, source.
pub type Macs = ([u8; 6], [u8; 6]);

/// The hardware address of every device of a test's own.
pub const OWN_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

const MACS: Macs = (OWN_MAC, [0x0a, 0, 0, 0, 0, 0x50]);

/// A packet in the making.
#[derive(Clone, Debug)]
pub struct Packet {
    src: SocketAddr,
    dst: SocketAddr,
    body: Body,
    ttl: u8,
    may_fragment: bool,
    first_fragment: bool,
    later_fragment: bool,
    macs: Option<Macs>,
    tags: Vec<u16>,
}

#[derive(Clone, Debug)]
enum Body {
    Tcp {
        flags: u8,
        payload: usize,
    },
    Udp {
        checksum: bool,
        payload: usize,
    },
    Sctp {
        chunk: u8,
        payload: usize,
    },
    /// A request for an echo.
    Echo,
    /// A protocol without ports: an IP packet inside an IPv4 one.
    Other,
    /// Port unreachable, about a packet whose first bytes these are.
    Unreachable {
        quote: Vec<u8>,
    },
}

pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const ACK: u8 = 0x10;

/// Bytes of a quote: enough for any header here.
const QUOTE: usize = 60;

impl Packet {
    /// A TCP segment without flags.
    #[must_use]
    pub fn tcp(src: SocketAddr, dst: SocketAddr) -> Self {
        Self::new(src, dst, Body::Tcp { flags: 0, payload: 32 })
    }

    /// A UDP datagram with a checksum.
    #[must_use]
    pub fn udp(src: SocketAddr, dst: SocketAddr) -> Self {
        Self::new(src, dst, Body::Udp { checksum: true, payload: 32 })
    }

    /// An SCTP packet with data.
    #[must_use]
    pub fn sctp(src: SocketAddr, dst: SocketAddr) -> Self {
        Self::new(src, dst, Body::Sctp { chunk: sctp::DATA, payload: 32 })
    }

    /// The ICMP error of `sender` that nobody listens where `about` went.
    #[must_use]
    pub fn unreachable(sender: IpAddr, about: &Self) -> Self {
        let mut quote = about.ip_packet();
        quote.truncate(QUOTE);
        let (src, dst) = (SocketAddr::new(sender, 0), SocketAddr::new(about.src.ip(), 0));
        Self::new(src, dst, Body::Unreachable { quote })
    }

    /// A ping.
    #[must_use]
    pub fn echo(src: IpAddr, dst: IpAddr) -> Self {
        Self::new(SocketAddr::new(src, 0), SocketAddr::new(dst, 0), Body::Echo)
    }

    /// What has no ports, and is no ICMP message.
    #[must_use]
    pub fn other(src: IpAddr, dst: IpAddr) -> Self {
        Self::new(SocketAddr::new(src, 0), SocketAddr::new(dst, 0), Body::Other)
    }

    fn new(src: SocketAddr, dst: SocketAddr, body: Body) -> Self {
        Self {
            src,
            dst,
            body,
            ttl: 64,
            may_fragment: false,
            first_fragment: false,
            later_fragment: false,
            macs: Some(MACS),
            tags: Vec::new(),
        }
    }

    /// Where it comes from.
    #[must_use]
    pub fn from(&self) -> SocketAddr {
        self.src
    }

    /// From another address and port.
    #[must_use]
    pub fn src(self, src: SocketAddr) -> Self {
        Self { src, ..self }
    }

    /// To another address and port.
    #[must_use]
    pub fn dst(self, dst: SocketAddr) -> Self {
        Self { dst, ..self }
    }

    /// Opening a connection; a datagram stays as it is.
    #[must_use]
    pub fn syn(self) -> Self {
        self.flags(SYN)
    }

    /// In the middle of a connection.
    #[must_use]
    pub fn ack(self) -> Self {
        self.flags(ACK)
    }

    /// Accepting a connection.
    #[must_use]
    pub fn syn_ack(self) -> Self {
        self.flags(SYN | ACK)
    }

    /// Ending a direction of a connection.
    #[must_use]
    pub fn fin(self) -> Self {
        self.flags(FIN | ACK)
    }

    /// Resetting a connection.
    #[must_use]
    pub fn rst(self) -> Self {
        self.flags(RST)
    }

    fn flags(mut self, set: u8) -> Self {
        match &mut self.body {
            Body::Tcp { flags, .. } => *flags = set,
            Body::Sctp { chunk, .. } => *chunk = sctp::chunk(set),
            Body::Udp { .. } | Body::Echo | Body::Other | Body::Unreachable { .. } => {}
        }
        self
    }

    /// With this many bytes behind the headers.
    #[must_use]
    pub fn payload(mut self, bytes: usize) -> Self {
        if let Body::Tcp { payload, .. } | Body::Udp { payload, .. } | Body::Sctp { payload, .. } =
            &mut self.body
        {
            *payload = bytes;
        }
        self
    }

    /// UDP without a checksum.
    #[must_use]
    pub fn without_checksum(mut self) -> Self {
        if let Body::Udp { checksum, .. } = &mut self.body {
            *checksum = false;
        }
        self
    }

    /// With another TTL or hop limit than 64.
    #[must_use]
    pub fn ttl(self, ttl: u8) -> Self {
        Self { ttl, ..self }
    }

    /// IPv4 without DF.
    #[must_use]
    pub fn may_fragment(self) -> Self {
        Self { may_fragment: true, ..self }
    }

    /// As the first fragment of a datagram, the same for all packets between two addresses.
    #[must_use]
    pub fn first_fragment(self) -> Self {
        Self { first_fragment: true, ..self }
    }

    /// As a fragment that is not the first.
    #[must_use]
    pub fn later_fragment(self) -> Self {
        Self { later_fragment: true, ..self }
    }

    /// In a frame with these hardware addresses.
    #[must_use]
    pub fn macs(self, dst: [u8; 6], src: [u8; 6]) -> Self {
        Self { macs: Some((dst, src)), ..self }
    }

    /// Without an Ethernet header.
    #[must_use]
    pub fn bare(self) -> Self {
        Self { macs: None, ..self }
    }

    /// In VLANs, the outermost first.
    #[must_use]
    pub fn vlans(self, tags: &[u16]) -> Self {
        Self { tags: tags.to_vec(), ..self }
    }

    /// The bytes as a hook sees them.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Some((dst, src)) = self.macs {
            bytes.extend(dst);
            bytes.extend(src);
            for tag in &self.tags {
                bytes.extend([0x81, 0x00]);
                bytes.extend(tag.to_be_bytes());
            }
            bytes.extend(if self.src.is_ipv4() { [0x08, 0x00] } else { [0x86, 0xdd] });
        }
        bytes.extend(self.ip_packet());
        bytes
    }

    /// The bytes from the IP header on.
    #[must_use]
    pub fn ip_packet(&self) -> Vec<u8> {
        let builder = PacketBuilder::ip(self.headers());
        let mut bytes = Vec::new();
        let built = match &self.body {
            _ if self.later_fragment => builder.write(&mut bytes, self.number(), &[7; 32]),
            Body::Tcp { flags, payload } => {
                builder.tcp_header(self.tcp_header(*flags)).write(&mut bytes, &payload_of(*payload))
            }
            Body::Udp { payload, .. } => builder
                .udp(self.src.port(), self.dst.port())
                .write(&mut bytes, &payload_of(*payload)),
            Body::Sctp { chunk, payload } => {
                let ports = [self.src.port(), self.dst.port()];
                let packet = sctp::packet(ports, *chunk, &payload_of(*payload));
                builder.write(&mut bytes, self.number(), &packet)
            }
            Body::Echo if self.src.is_ipv4() => {
                builder.icmpv4_echo_request(1, 1).write(&mut bytes, &payload_of(32))
            }
            Body::Echo => builder.icmpv6_echo_request(1, 1).write(&mut bytes, &payload_of(32)),
            Body::Other => builder.write(&mut bytes, self.number(), &[7; 32]),
            Body::Unreachable { quote } if self.src.is_ipv4() => {
                builder.icmpv4_raw(3, 3, [0; 4]).write(&mut bytes, quote)
            }
            Body::Unreachable { quote } => {
                builder.icmpv6_raw(1, 4, [0; 4]).write(&mut bytes, quote)
            }
        };
        built.expect("a vector takes any packet");
        if matches!(self.body, Body::Udp { checksum: false, .. }) {
            let at = bytes.len() - self.udp_size() + 6;
            bytes[at..at + 2].fill(0);
        }
        bytes
    }

    fn udp_size(&self) -> usize {
        match self.body {
            Body::Udp { payload, .. } => 8 + payload,
            Body::Tcp { .. }
            | Body::Sctp { .. }
            | Body::Unreachable { .. }
            | Body::Echo
            | Body::Other => 0,
        }
    }

    fn tcp_header(&self, flags: u8) -> TcpHeader {
        TcpHeader {
            fin: flags & FIN != 0,
            syn: flags & SYN != 0,
            rst: flags & RST != 0,
            ack: flags & ACK != 0,
            ..TcpHeader::new(self.src.port(), self.dst.port(), 1, 1024)
        }
    }

    const fn is_fragment(&self) -> bool {
        self.first_fragment || self.later_fragment
    }

    fn number(&self) -> IpNumber {
        match self.body {
            Body::Tcp { .. } => IpNumber::TCP,
            Body::Udp { .. } => IpNumber::UDP,
            Body::Sctp { .. } => IpNumber::SCTP,
            Body::Unreachable { .. } | Body::Echo => IpNumber::ICMP,
            Body::Other => IpNumber::IPV4,
        }
    }

    fn headers(&self) -> IpHeaders {
        let offset = IpFragOffset::try_new(if self.later_fragment { 100 } else { 0 })
            .expect("100 fits 13 bits");
        match (self.src.ip(), self.dst.ip()) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                let header = Ipv4Header {
                    dont_fragment: !self.may_fragment && !self.is_fragment(),
                    more_fragments: self.first_fragment,
                    fragment_offset: offset,
                    time_to_live: self.ttl,
                    source: src.octets(),
                    destination: dst.octets(),
                    ..Ipv4Header::default()
                };
                IpHeaders::Ipv4(header, Ipv4Extensions::default())
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                let header = Ipv6Header {
                    hop_limit: self.ttl,
                    source: src.octets(),
                    destination: dst.octets(),
                    ..Ipv6Header::default()
                };
                let fragment =
                    Ipv6FragmentHeader::new(self.number(), offset, self.first_fragment, 7);
                let extensions = Ipv6Extensions {
                    fragment: self.is_fragment().then_some(fragment),
                    ..Ipv6Extensions::default()
                };
                IpHeaders::Ipv6(header, extensions)
            }
            _ => unreachable!("a packet from {} to {}", self.src, self.dst),
        }
    }
}

fn payload_of(size: usize) -> Vec<u8> {
    (0..=u8::MAX).cycle().take(size).collect()
}
