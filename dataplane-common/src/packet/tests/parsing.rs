//! The parser against etherparse's view, and the packets it refuses.

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use proptest::prelude::*;

use super::samples::{Sample, SampleL4, SampleNet, of_any_kind};
use crate::{
    abi::{Family, FlowKey, Port, Proto},
    packet::{
        Bytes, Framing, IpAddress as _, Packet, ParseError, Parsed, TcpFlags, Transport, parse,
        parse_ip, parse_l3,
    },
};

/// Ethernet headers with no, one and two tags, up to the last `EtherType`.
const LINKS: [&[u8]; 3] = [
    &[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2],
    &[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0, 0, 7],
    &[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xa8, 0, 7, 0x81, 0, 0, 8],
];

fn frame(link: Option<usize>, family: Family, ip: &[u8], padding: usize) -> Vec<u8> {
    let kind: &[u8] = match family {
        Family::V4 => &[0x08, 0],
        Family::V6 => &[0x86, 0xdd],
    };
    match link {
        Some(tags) => [LINKS[tags], kind, ip, &vec![0; padding]].concat(),
        None => ip.to_vec(),
    }
}

/// What etherparse sees, in our terms. `bytes` must be those it was given.
fn view(bytes: &[u8], sliced: &SlicedPacket) -> Parsed {
    let offset = |part: &[u8]| u32::try_from(part.as_ptr().addr() - bytes.as_ptr().addr()).unwrap();
    let (transport, sport, dport) = transport(sliced);
    let reserved = [0; 3];
    match sliced.net.as_ref().unwrap() {
        NetSlice::Ipv4(ip) => {
            let (header, payload) = (ip.header(), ip.payload());
            let (src, dst, proto) = (header.source(), header.destination(), payload.ip_number.0);
            Parsed::V4(Packet {
                key: FlowKey { src, dst, sport, dport, proto: Proto(proto), reserved },
                l3: offset(header.slice()),
                l4: offset(payload.payload),
                length: header.total_len().into(),
                ttl: header.ttl(),
                may_fragment: !header.dont_fragment(),
                more_fragments: 0,
                transport,
            })
        }
        NetSlice::Ipv6(ip) => {
            let (header, payload) = (ip.header(), ip.payload());
            let (src, dst, proto) = (header.source(), header.destination(), payload.ip_number.0);
            Parsed::V6(Packet {
                key: FlowKey { src, dst, sport, dport, proto: Proto(proto), reserved },
                l3: offset(header.slice()),
                l4: offset(payload.payload),
                length: u32::from(header.payload_length()) + 40,
                ttl: header.hop_limit(),
                may_fragment: false,
                more_fragments: 0,
                transport,
            })
        }
        NetSlice::Arp(_) => unreachable!("no sample is ARP"),
    }
}

fn transport(sliced: &SlicedPacket) -> (Transport, Port, Port) {
    let icmp = |kind, code| (Transport::Icmp { kind, code }, Port::new(0), Port::new(0));
    match sliced.transport.as_ref() {
        Some(TransportSlice::Tcp(tcp)) => (
            Transport::Tcp(TcpFlags(tcp.slice()[13])),
            Port::new(tcp.source_port()),
            Port::new(tcp.destination_port()),
        ),
        Some(TransportSlice::Udp(udp)) => (
            Transport::Udp { checksum: udp.checksum() != 0 },
            Port::new(udp.source_port()),
            Port::new(udp.destination_port()),
        ),
        Some(TransportSlice::Icmpv4(message)) => icmp(message.type_u8(), message.code_u8()),
        Some(TransportSlice::Icmpv6(message)) => icmp(message.type_u8(), message.code_u8()),
        Some(TransportSlice::Igmp(_)) | None => (Transport::Other, Port::new(0), Port::new(0)),
    }
}

fn agrees_with_etherparse<A: SampleNet>(sample: &Sample<A>, link: Option<usize>, padding: usize) {
    let bytes = &frame(link, A::FAMILY, &sample.build(), padding)[..];
    let (framing, sliced) = match link {
        Some(_) => (Framing::Ethernet, SlicedPacket::from_ethernet(bytes).unwrap()),
        None => (Framing::Ip, SlicedPacket::from_ip(bytes).unwrap()),
    };
    let expected = view(bytes, &sliced);
    assert_eq!(parse(bytes, framing), Ok(expected));
    let l3 = match expected {
        Parsed::V4(packet) => packet.l3,
        Parsed::V6(packet) => packet.l3,
    };
    assert_eq!(parse_ip(bytes, l3, A::FAMILY), Ok(expected), "from its IP header");
    let packet = parse_l3::<A, [u8]>(bytes, l3).unwrap();
    assert_eq!(packet.key, sample.key());
    assert_eq!(
        packet.end(bytes),
        Bytes::len(bytes) - if link.is_some() { u32::try_from(padding).unwrap() } else { 0 }
    );
}

/// Whatever is parsed, its headers lie inside the bytes.
fn stays_inside(bytes: &[u8], framing: Framing) {
    let (l3, l4, end) = match parse(bytes, framing) {
        Ok(Parsed::V4(packet)) => (packet.l3, packet.l4, packet.end(bytes)),
        Ok(Parsed::V6(packet)) => (packet.l3, packet.l4, packet.end(bytes)),
        Err(_) => return,
    };
    assert!(l3 < l4 && end <= Bytes::len(bytes), "{l3} {l4} {end} in {} bytes", bytes.len());
}

proptest! {
    #[test]
    fn ipv4_is_read_as_etherparse_reads_it(
        sample in of_any_kind::<[u8; 4]>(),
        link in proptest::option::of(0..3_usize),
        padding in 0..50_usize,
    ) {
        agrees_with_etherparse(&sample, link, padding);
    }

    #[test]
    fn ipv6_is_read_as_etherparse_reads_it(
        sample in of_any_kind::<[u8; 16]>(),
        link in proptest::option::of(0..3_usize),
        padding in 0..50_usize,
    ) {
        agrees_with_etherparse(&sample, link, padding);
    }

    #[test]
    fn random_bytes_never_lead_outside(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..160),
        version in proptest::option::of(prop_oneof![Just(0x45_u8), Just(0x60)]),
        l3 in any::<u32>(),
    ) {
        if let (Some(version), Some(first)) = (version, bytes.first_mut()) {
            *first = version;
        }
        stays_inside(&bytes, Framing::Ip);
        stays_inside(&bytes, Framing::Ethernet);
        let _ = parse_ip(&bytes[..], l3, Family::V4);
        let _ = parse_ip(&bytes[..], l3, Family::V6);
    }

    #[test]
    fn a_packet_with_any_byte_changed_or_cut_never_leads_outside(
        sample in of_any_kind::<[u8; 16]>(),
        at in any::<proptest::sample::Index>(),
        value in any::<u8>(),
        cut in any::<proptest::sample::Index>(),
    ) {
        let mut bytes = sample.build();
        let at = at.index(bytes.len());
        bytes[at] = value;
        stays_inside(&bytes, Framing::Ip);
        stays_inside(&bytes[..cut.index(bytes.len())], Framing::Ip);
    }
}

fn v4(l4: SampleL4) -> Vec<u8> {
    let (src, dst) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    Sample { src, dst, ttl: 64, dont_fragment: false, extras: 0, l4, payload: vec![0; 8] }.build()
}

const TCP: SampleL4 = SampleL4::Tcp { sport: 1, dport: 2, flags: 2, options: 0 };
const UDP: SampleL4 = SampleL4::Udp { sport: 1, dport: 2, checksum: true };

#[test]
fn malformed_ipv4_packets_are_refused_by_name() {
    type Spoil = fn(&mut Vec<u8>);
    let rows: [(&str, SampleL4, Spoil, ParseError); 11] = [
        ("nothing", TCP, Vec::clear, ParseError::TooShort),
        ("version 5", TCP, |b| b[0] = 0x55, ParseError::NotIp),
        ("a header of 16 bytes", TCP, |b| b[0] = 0x44, ParseError::BadIpv4Header),
        ("a length below the header's", TCP, |b| b[3] = 19, ParseError::BadLength),
        ("a length of zero", TCP, |b| b[3] = 0, ParseError::BadLength),
        ("a length beyond the packet", TCP, |b| b[2] = 1, ParseError::BadLength),
        ("options beyond the length", TCP, |b| (b[0], b[3]) = (0x4f, 59), ParseError::BadLength),
        ("TCP cut at 19 bytes", TCP, |b| b[3] = 39, ParseError::TooShort),
        ("a TCP header of 16 bytes", TCP, |b| b[32] = 0x40, ParseError::BadTcpHeader),
        ("TCP options beyond the packet", TCP, |b| b[32] = 0x80, ParseError::BadTcpHeader),
        ("UDP cut at 7 bytes", UDP, |b| b[3] = 27, ParseError::TooShort),
    ];
    for (name, l4, spoil, reason) in rows {
        let mut bytes = v4(l4);
        spoil(&mut bytes);
        assert_eq!(parse(&bytes[..], Framing::Ip), Err(reason), "{name}");
    }
}

#[test]
fn fragments_are_named_and_the_first_has_ports() {
    let later = Transport::LaterFragment;
    let first = Transport::Tcp(TcpFlags::SYN);
    let rows = [
        ("whole", [0x40, 0], first, 2, false),
        ("first", [0x20, 0], first, 2, true),
        ("middle", [0x20, 1], later, 0, false),
        ("last", [0x00, 1], later, 0, false),
        ("far", [0x1f, 0], later, 0, false),
    ];
    for (name, fragment, transport, dport, is_first) in rows {
        let mut bytes = v4(TCP);
        bytes[4..6].copy_from_slice(&[1, 2]);
        bytes[6..8].copy_from_slice(&fragment);
        let packet: Packet<[u8; 4]> = parse_l3(&bytes[..], 0).unwrap();
        assert_eq!((packet.transport, packet.key.dport), (transport, Port::new(dport)), "{name}");
        assert_eq!(packet.key.proto, Proto::TCP, "{name}");
        assert_eq!(packet.may_fragment, name != "whole", "{name}");
        let id = <[u8; 4]>::identification(&bytes[..], 0, packet.l4);
        assert_eq!((id, packet.is_first_fragment()), (Ok([0, 0, 1, 2]), is_first), "{name}");
    }
}

/// An IPv6 header that is followed by `chain`, each of eight bytes by its number.
fn v6(chain: &[u8], last: &[u8]) -> Vec<u8> {
    let (first, rest) = chain.split_first().unwrap();
    let mut bytes = vec![0x60, 0, 0, 0, 0, 0, *first, 64];
    bytes.extend([0xfd; 32]);
    for next in rest {
        bytes.extend([*next, 0, 0, 0, 0, 0, 0, 0]);
    }
    bytes.extend(last);
    bytes[5] = u8::try_from(bytes.len() - 40).unwrap();
    bytes
}

#[test]
fn ipv6_chains_end_where_they_must() {
    let udp = [0, 1, 0, 2, 0, 8, 0, 9];
    let ports = Transport::Udp { checksum: true };
    let rows: [(&str, &[u8], &[u8], _); 10] = [
        ("plain", &[17], &udp, Ok((17, 40, ports))),
        ("mobility, HIP, shim6", &[135, 139, 140, 17], &udp, Ok((17, 64, ports))),
        ("six extensions", &[0, 60, 43, 44, 60, 60, 17], &udp, Ok((17, 88, ports))),
        ("seven", &[0, 60, 43, 44, 60, 60, 60, 17], &udp, Err(ParseError::TooManyExtensions)),
        ("no next header", &[0, 59], &[], Ok((59, 48, Transport::Other))),
        ("ESP", &[0, 50], &udp, Ok((50, 48, Transport::Other))),
        ("ICMP of the other version", &[1], &udp, Ok((1, 40, Transport::Other))),
        (
            "later fragment",
            &[44],
            &[17, 0, 0, 8, 0, 0, 0, 1],
            Ok((17, 48, Transport::LaterFragment)),
        ),
        ("first fragment", &[44], &[[17, 0, 0, 1, 0, 0, 0, 1], udp].concat(), Ok((17, 48, ports))),
        ("an extension cut off", &[0, 60], &[17, 0, 0, 0], Err(ParseError::TooShort)),
    ];
    for (name, chain, last, expected) in rows {
        let packet = parse_l3::<[u8; 16], [u8]>(&v6(chain, last), 0);
        let seen = packet.map(|packet| (packet.key.proto.0, packet.l4, packet.transport));
        assert_eq!(seen, expected, "{name}");
    }
}

#[test]
fn a_packet_beyond_64_kib_states_no_length() {
    let mut tcp = v4(TCP);
    tcp[2..4].fill(0);
    tcp.resize(70_000, 0);
    let packet: Packet<[u8; 4]> = parse_l3(&tcp[..], 0).unwrap();
    assert_eq!((packet.length, packet.end(&tcp[..])), (0, 70_000));

    let mut jumbo = v6(&[0, 17], &[0, 1, 0, 2, 0, 0, 0, 9]);
    jumbo[5] = 0;
    jumbo.resize(70_000, 0);
    let packet: Packet<[u8; 16]> = parse_l3(&jumbo[..], 0).unwrap();
    assert_eq!((packet.length, packet.l4, packet.end(&jumbo[..])), (0, 48, 70_000));
}

/// Counts reads, which cost a helper call each in the kernel.
struct Counted<'a>(&'a [u8], core::cell::Cell<u32>);

impl Bytes for Counted<'_> {
    fn len(&self) -> u32 {
        Bytes::len(self.0)
    }

    fn read<const N: usize>(&self, offset: u32) -> Result<[u8; N], crate::packet::TooShort> {
        self.1.set(self.1.get() + 1);
        self.0.read(offset)
    }
}

#[test]
fn an_ordinary_packet_costs_three_reads() {
    let udp = [0, 1, 0, 2, 0, 8, 0, 9];
    for (family, ip) in [(Family::V4, v4(TCP)), (Family::V6, v6(&[17], &udp))] {
        let frame = frame(Some(0), family, &ip, 0);
        let counted = Counted(&frame, 0.into());
        parse(&counted, Framing::Ethernet).unwrap();
        assert_eq!(counted.1.get(), 3, "{family:?}");
    }
}

#[test]
fn ipv6_fragments_tell_which_datagram_they_are_of() {
    let udp = [0, 1, 0, 2, 0, 8, 0, 9];
    for (name, place, is_first) in
        [("whole", [0, 0], false), ("first", [0, 1], true), ("middle", [0, 9], false)]
    {
        let header = [17, 0, place[0], place[1], 1, 2, 3, 4];
        let bytes = v6(&[44], &[header, udp].concat());
        let packet = parse_l3::<[u8; 16], [u8]>(&bytes, 0).unwrap();
        let id = <[u8; 16]>::identification(&bytes[..], 0, packet.l4);
        assert_eq!((id, packet.is_first_fragment()), (Ok([1, 2, 3, 4]), is_first), "{name}");
    }
}
