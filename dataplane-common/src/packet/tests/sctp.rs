//! SCTP (RFC 9260): what its first chunk means, what is refused, and what a rewrite leaves alone.

use super::samples::{Sample, SampleL4};
use crate::{
    abi::{FlowKey, Port, Proto},
    flow::{Related, Rewrite},
    packet::{
        Framing, Packet, ParseError, Quoted, TcpFlags, Transport, apply, apply_related, parse,
        parse_l3, quoted,
    },
};

const SRC: [u8; 4] = [10, 0, 0, 1];
const DST: [u8; 4] = [10, 0, 0, 2];

/// A packet of one chunk of this type, with this length stated, from its IP header on.
fn sctp(chunk: u8, length: u8) -> Vec<u8> {
    let header = [0x0f, 0xa0, 0x1f, 0x90, 1, 2, 3, 4, 5, 6, 7, 8];
    let payload = [&header[..], &[chunk, 0, 0, length, 9, 9, 9, 9]].concat();
    let l4 = SampleL4::Other;
    let mut bytes =
        Sample { src: SRC, dst: DST, ttl: 64, dont_fragment: true, extras: 0, l4, payload }.build();
    bytes[9] = Proto::SCTP.0;
    // The sample was of another protocol.
    let sum = bytes[..20].chunks_exact(2).enumerate().filter(|(word, _)| *word != 5);
    let sum: u32 = sum.map(|(_, word)| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
    let folded = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    bytes[10..12].copy_from_slice(&folded.to_be_bytes());
    bytes
}

fn key(src: [u8; 4], dst: [u8; 4]) -> FlowKey<[u8; 4]> {
    let (sport, dport) = (Port::new(4000), Port::new(8080));
    FlowKey { src, dst, sport, dport, proto: Proto::SCTP, reserved: [0; 3] }
}

#[test]
fn the_first_chunk_says_what_the_packet_means_to_the_association() {
    let (syn, ack, fin, rst) = (TcpFlags::SYN.0, TcpFlags::ACK.0, TcpFlags::FIN.0, TcpFlags::RST.0);
    for (name, chunk, flags) in [
        ("DATA", 0, 0),
        ("INIT", 1, syn),
        ("INIT ACK", 2, syn | ack),
        ("SACK", 3, 0),
        ("HEARTBEAT", 4, 0),
        ("HEARTBEAT ACK", 5, 0),
        ("ABORT", 6, rst),
        ("SHUTDOWN", 7, fin),
        ("SHUTDOWN ACK", 8, fin),
        ("ERROR", 9, 0),
        ("COOKIE ECHO", 10, 0),
        ("COOKIE ACK", 11, 0),
        ("SHUTDOWN COMPLETE", 14, fin),
        ("AUTH", 15, 0),
        ("one more than all known", 17, 0),
        ("I-DATA", 64, 0),
        ("FORWARD TSN", 192, 0),
        ("ASCONF", 193, 0),
        ("the last", 255, 0),
    ] {
        let packet: Packet<[u8; 4]> = parse_l3(&sctp(chunk, 8)[..], 0).unwrap();
        let expected = (key(SRC, DST), Transport::Sctp(TcpFlags(flags)));
        assert_eq!((packet.key, packet.transport), expected, "{name}");
        assert_eq!(packet.transport.begins(), name == "INIT", "{name}");
        assert_eq!(packet.transport.continues(), name != "INIT", "{name}");
    }
}

#[test]
fn malformed_packets_are_refused_by_name() {
    type Spoil = fn(&mut Vec<u8>);
    let rows: [(&str, Spoil, Option<ParseError>); 6] = [
        ("cut in its common header", |b| b[3] = 31, Some(ParseError::TooShort)),
        ("without a chunk", |b| b[3] = 32, Some(ParseError::TooShort)),
        ("cut in a chunk's header", |b| b[3] = 35, Some(ParseError::TooShort)),
        ("a chunk of nothing", |b| b[35] = 0, Some(ParseError::BadSctpChunk)),
        ("a chunk of 3 bytes", |b| b[35] = 3, Some(ParseError::BadSctpChunk)),
        // The rest may be in other fragments.
        ("a chunk beyond the packet", |b| b[34] = 5, None),
    ];
    for (name, spoil, reason) in rows {
        let mut bytes = sctp(1, 4);
        spoil(&mut bytes);
        assert_eq!(parse(&bytes[..], Framing::Ip).err(), reason, "{name}");
    }
}

#[test]
fn a_rewrite_changes_addresses_and_nothing_behind_them() {
    let mut bytes = sctp(1, 8);
    let packet = parse_l3(&bytes[..], 0).unwrap();
    let to = key([192, 0, 2, 1], [10, 9, 9, 9]);
    apply(&Rewrite { from: packet.key, to, routed: true }, &packet, &mut bytes[..]).unwrap();
    assert_eq!(bytes[20..], sctp(1, 8)[20..]);
    let after: Packet<[u8; 4]> = parse_l3(&bytes[..], 0).unwrap();
    assert_eq!(after, Packet { key: to, ttl: 63, ..packet });
}

#[test]
fn an_error_about_sctp_is_rewritten_with_its_quote() {
    let inner = sctp(0, 8);
    let error = |quote: &[u8]| {
        let l4 = SampleL4::Icmp { kind: 3, code: 2, rest: [0; 4] };
        let payload = quote.to_vec();
        let (src, dst) = (DST, SRC);
        Sample { src, dst, ttl: 60, dont_fragment: false, extras: 0, l4, payload }.build()
    };
    let mut bytes = error(&inner[..28]);
    let packet = parse_l3(&bytes[..], 0).unwrap();
    let quote = quoted(&bytes[..], &packet).unwrap();
    assert_eq!(quote, Quoted { key: key(SRC, DST), l3: 28, l4: 48 });
    let to = key([192, 0, 2, 1], SRC).turned();
    let to = FlowKey { src: [192, 0, 2, 1], dst: SRC, ..to };
    apply_related(&Related { quote, to }, &packet, &mut bytes[..]).unwrap();
    let after: Packet<[u8; 4]> = parse_l3(&bytes[..], 0).unwrap();
    let quote = quoted(&bytes[..], &after).unwrap();
    assert_eq!(quote.key, to.turned());
    assert_eq!(bytes[48..], inner[20..28], "ports stay");
}
