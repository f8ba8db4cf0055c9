//! What a frame that was seen tells of a flow.

use std::net::{IpAddr, SocketAddr};

use etherparse::{
    Icmpv4Type, Icmpv6Type, IpNumber, LaxNetSlice, LaxSlicedPacket, TcpSlice, TransportSlice,
    UdpSlice, icmpv4, icmpv6,
};

use super::{
    frame::{Opening, number},
    init::{init_number, read_init},
};
use crate::diff::probe::{Protocol, Refusal};

/// Something about a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::diff) enum Sight {
    /// Its first packet, whatever was translated.
    Opening(Opening),
    /// That it was refused.
    Refused {
        /// The flow's number.
        number: u32,
        /// How.
        by: Refusal,
    },
}

/// Reads a frame; nothing if it is of no flow of ours, as neighbour discovery.
pub(in crate::diff) fn read(frame: &[u8]) -> Option<Sight> {
    let packet = LaxSlicedPacket::from_ethernet(frame).ok()?;
    let (from, to) = addresses(packet.net.as_ref()?)?;
    if let Some(payload) = packet.ip_payload().filter(|it| it.ip_number == IpNumber::SCTP) {
        return read_init(from, to, payload.payload);
    }
    match packet.transport? {
        TransportSlice::Tcp(segment) => of_segment(from, to, &segment),
        TransportSlice::Udp(datagram) => of_datagram(from, to, &datagram),
        TransportSlice::Icmpv4(message) => match message.icmp_type() {
            Icmpv4Type::DestinationUnreachable(icmpv4::DestUnreachableHeader::Port) => {
                unreachable(message.payload())
            }
            _ => None,
        },
        TransportSlice::Icmpv6(message) => match message.icmp_type() {
            Icmpv6Type::DestinationUnreachable(icmpv6::DestUnreachableCode::Port) => {
                unreachable(message.payload())
            }
            _ => None,
        },
        TransportSlice::Igmp(_) => None,
    }
}

/// Reads what is behind an IP header, as [`read`] does.
pub(super) fn read_payload(
    from: IpAddr,
    to: IpAddr,
    protocol: Protocol,
    payload: &[u8],
) -> Option<Sight> {
    match protocol {
        Protocol::Tcp => of_segment(from, to, &TcpSlice::from_slice(payload).ok()?),
        Protocol::Udp => of_datagram(from, to, &UdpSlice::from_slice(payload).ok()?),
        Protocol::Sctp => read_init(from, to, payload),
    }
}

fn addresses(net: &LaxNetSlice<'_>) -> Option<(IpAddr, IpAddr)> {
    match net {
        LaxNetSlice::Ipv4(packet) => {
            let header = packet.header();
            Some((header.source_addr().into(), header.destination_addr().into()))
        }
        LaxNetSlice::Ipv6(packet) => {
            let header = packet.header();
            Some((header.source_addr().into(), header.destination_addr().into()))
        }
        LaxNetSlice::Arp(_) => None,
    }
}

fn of_segment(from: IpAddr, to: IpAddr, segment: &TcpSlice<'_>) -> Option<Sight> {
    if segment.rst() && segment.ack() {
        // A SYN counts as one byte.
        let number = segment.acknowledgment_number().wrapping_sub(1);
        return Some(Sight::Refused { number, by: Refusal::Reset });
    }
    let is_first = segment.syn() && !segment.ack();
    is_first.then(|| {
        Sight::Opening(Opening {
            from: SocketAddr::new(from, segment.source_port()),
            to: SocketAddr::new(to, segment.destination_port()),
            protocol: Protocol::Tcp,
            number: segment.sequence_number(),
        })
    })
}

fn of_datagram(from: IpAddr, to: IpAddr, datagram: &UdpSlice<'_>) -> Option<Sight> {
    Some(Sight::Opening(Opening {
        from: SocketAddr::new(from, datagram.source_port()),
        to: SocketAddr::new(to, datagram.destination_port()),
        protocol: Protocol::Udp,
        number: number(datagram.payload())?,
    }))
}

/// By the packet that an ICMP error quotes, of which eight bytes behind the IP header are certain.
fn unreachable(quote: &[u8]) -> Option<Sight> {
    let packet = LaxSlicedPacket::from_ip(quote).ok()?;
    let payload = packet.ip_payload()?;
    let number = match payload.ip_number {
        IpNumber::TCP => u32::from_be_bytes(*payload.payload.get(4..)?.first_chunk()?),
        IpNumber::UDP => number(payload.payload.get(8..)?)?,
        IpNumber::SCTP => init_number(payload.payload)?,
        _ => return None,
    };
    Some(Sight::Refused { number, by: Refusal::Unreachable })
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};

    use etherparse::PacketBuilder;

    use super::{Sight, read, read_payload};
    use crate::diff::{
        probe::{Protocol, Refusal},
        wire::{frame::Opening, link::Macs},
    };

    const MACS: Macs = Macs { near: [2, 0, 0, 0, 0, 1], far: [2, 0, 0, 0, 0, 2] };

    fn openings() -> Vec<Opening> {
        let ends = [("10.244.1.2:2000", "10.96.0.1:80"), ("[fd00::1]:2000", "[fd00::2]:80")];
        let ends = ends.map(|(from, to)| [from, to].map(|end| end.parse::<SocketAddr>().unwrap()));
        let kinds = ends.into_iter().flat_map(|ends| Protocol::ALL.map(|kind| (ends, kind)));
        kinds
            .map(|([from, to], protocol)| Opening { from, to, protocol, number: 0xfeed_beef })
            .collect()
    }

    /// Of the addressee's node, with so many bytes of the packet behind its IP header.
    fn error(about: &Opening, behind: usize) -> Vec<u8> {
        let frame = about.frame(MACS).unwrap();
        let mut written = Vec::new();
        match (about.to.ip(), about.from.ip()) {
            (IpAddr::V4(to), IpAddr::V4(from)) => PacketBuilder::ethernet2(MACS.far, MACS.near)
                .ipv4(to.octets(), from.octets(), 64)
                .icmpv4_raw(3, 3, [0; 4])
                .write(&mut written, &frame[14..(34 + behind).min(frame.len())]),
            (IpAddr::V6(to), IpAddr::V6(from)) => PacketBuilder::ethernet2(MACS.far, MACS.near)
                .ipv6(to.octets(), from.octets(), 64)
                .icmpv6_raw(1, 4, [0; 4])
                .write(&mut written, &frame[14..(54 + behind).min(frame.len())]),
            ends => panic!("{ends:?}"),
        }
        .unwrap();
        written
    }

    #[test]
    fn what_is_written_is_read_again() {
        for opening in openings() {
            let frame = opening.frame(MACS).unwrap();
            assert_eq!(read(&frame), Some(Sight::Opening(opening)), "{opening:?}");
            let Opening { from, to, protocol, .. } = opening;
            let behind = if from.is_ipv4() { 34 } else { 54 };
            let payload = read_payload(from.ip(), to.ip(), protocol, &frame[behind..]);
            assert_eq!(payload, Some(Sight::Opening(opening)), "{opening:?}");
        }
    }

    #[test]
    fn an_error_names_the_flow_that_it_quotes_whole_or_in_part() {
        for opening in openings() {
            let refused = Some(Sight::Refused { number: opening.number, by: Refusal::Unreachable });
            let least = match opening.protocol {
                Protocol::Tcp => 8,
                Protocol::Udp => 24,
                Protocol::Sctp => 32,
            };
            for behind in [least, 1000] {
                assert_eq!(read(&error(&opening, behind)), refused, "{opening:?}, {behind} bytes");
            }
        }
    }

    #[test]
    fn a_reset_names_the_flow_that_it_acknowledges() {
        let mut frame = Vec::new();
        PacketBuilder::ethernet2(MACS.far, MACS.near)
            .ipv4([10, 96, 0, 1], [10, 244, 1, 2], 64)
            .tcp(80, 2000, 0, 0)
            .rst()
            .ack(8)
            .write(&mut frame, &[])
            .unwrap();
        assert_eq!(read(&frame), Some(Sight::Refused { number: 7, by: Refusal::Reset }));
    }

    #[test]
    fn packets_of_others_and_their_remains_tell_nothing() {
        let builder = || PacketBuilder::ethernet2(MACS.near, MACS.far).ipv4([1; 4], [2; 4], 64);
        let (mut answer, mut foreign) = (Vec::new(), Vec::new());
        builder().tcp(80, 2000, 5, 0).syn().ack(8).write(&mut answer, &[]).unwrap();
        builder().udp(53, 2000).write(&mut foreign, b"who?").unwrap();
        for frame in [answer, foreign, vec![0; 60], vec![]] {
            assert_eq!(read(&frame), None, "{frame:02x?}");
        }
        for opening in openings() {
            let frame = opening.frame(MACS).unwrap();
            for length in 0..frame.len() {
                assert_eq!(read(&frame[..length]), None, "{length} bytes of {opening:?}");
            }
        }
    }
}
