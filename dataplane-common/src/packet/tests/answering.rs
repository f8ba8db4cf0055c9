//! ICMP errors of our own, against etherparse, and when none may be sent.

use etherparse::{
    Icmpv4Type, Icmpv6Type, SlicedPacket, TransportSlice, icmpv4::DestUnreachableHeader as v4,
    icmpv6::DestUnreachableCode as v6,
};
use proptest::prelude::*;

use super::samples::{Sample, SampleL4, SampleNet, with_ports};
use crate::{
    flow::Answer,
    packet::{Packet, QUOTE_MAX, TooShort, answer, may_answer, parse_l3, quote, quote_length},
};

const ANSWERS: [Answer; 2] = [Answer::TooBig { mtu: 1400 }, Answer::PortUnreachable];

/// The whole answer to the packet that begins after `link` bytes.
fn answered<A: SampleNet>(bytes: &[u8], link: u32, error: Answer) -> Option<Vec<u8>> {
    let packet: Packet<A> = parse_l3(bytes, link).unwrap();
    let quote = quote(bytes, &packet).ok()?;
    assert!(quote.length <= QUOTE_MAX && quote.length % 4 == 0, "{quote:?}");
    assert_eq!(quote_length(bytes, &packet), Ok(quote.length));
    let headers = answer(&packet, error, quote);
    let (from, length) = (packet.l3 as usize, quote.length as usize);
    Some([headers.ip.as_ref(), &headers.icmp, &bytes[from..from + length]].concat())
}

/// The sample etherparse would build the same answer of.
fn expected<A: SampleNet>(sample: &Sample<A>, icmp: (u8, u8, [u8; 4]), quote: &[u8]) -> Vec<u8> {
    let (kind, code, rest) = icmp;
    let mut bytes = Sample {
        src: sample.dst,
        dst: sample.src,
        ttl: 64,
        dont_fragment: true,
        extras: 0,
        l4: SampleL4::Icmp { kind, code, rest },
        payload: quote.to_vec(),
    }
    .build();
    if let Ok((mut header, _)) = etherparse::Ipv4Header::from_slice(&bytes) {
        header.dscp = 48.try_into().unwrap();
        header.header_checksum = header.calc_header_checksum();
        bytes[..20].copy_from_slice(&header.to_bytes());
    }
    bytes
}

fn equals_what_etherparse_builds<A: SampleNet>(sample: &Sample<A>, icmp: [(u8, u8, [u8; 4]); 2]) {
    let original = sample.build();
    let bytes = [&[7; 14][..], &original].concat();
    for (error, icmp) in ANSWERS.into_iter().zip(icmp) {
        let Some(answer) = answered::<A>(&bytes, 14, error) else {
            let l4 = parse_l3::<A, [u8]>(&bytes, 14).unwrap().l4 - 14;
            assert!(l4 + 8 > QUOTE_MAX, "refused though {l4} bytes leave room");
            continue;
        };
        let headers = answer.len() - original.len().min(128) / 4 * 4;
        assert_eq!(answer, expected(sample, icmp, &answer[headers..]), "{error:?}");
        assert!(original.starts_with(&answer[headers..]), "{error:?}");
    }
}

proptest! {
    #[test]
    fn an_ipv4_answer_is_what_etherparse_builds(sample in with_ports::<[u8; 4]>()) {
        equals_what_etherparse_builds(&sample, [(3, 4, [0, 0, 5, 120]), (3, 3, [0; 4])]);
    }

    #[test]
    fn an_ipv6_answer_is_what_etherparse_builds(sample in with_ports::<[u8; 16]>()) {
        equals_what_etherparse_builds(&sample, [(2, 0, [0, 0, 5, 120]), (1, 4, [0; 4])]);
    }
}

fn sample<A: SampleNet>(src: A, dst: A, l4: SampleL4) -> Sample<A> {
    Sample { src, dst, ttl: 64, dont_fragment: true, extras: 0, l4, payload: vec![1; 40] }
}

const UDP: SampleL4 = SampleL4::Udp { sport: 1, dport: 2, checksum: true };

#[test]
fn receivers_read_the_answer_as_what_it_says() {
    let bytes = sample([10, 0, 0, 1], [10, 0, 0, 2], UDP).build();
    let rows =
        [(ANSWERS[0], v4::FragmentationNeeded { next_hop_mtu: 1400 }), (ANSWERS[1], v4::Port)];
    for (error, expected) in rows {
        let bytes = answered::<[u8; 4]>(&bytes, 0, error).unwrap();
        let Some(TransportSlice::Icmpv4(icmp)) = SlicedPacket::from_ip(&bytes).unwrap().transport
        else {
            panic!("{error:?} is no ICMP");
        };
        assert_eq!(icmp.icmp_type(), Icmpv4Type::DestinationUnreachable(expected));
    }

    let bytes = sample([0xfd; 16], [0xfc; 16], UDP).build();
    let rows = [
        (ANSWERS[0], Icmpv6Type::PacketTooBig { mtu: 1400 }),
        (ANSWERS[1], Icmpv6Type::DestinationUnreachable(v6::Port)),
    ];
    for (error, expected) in rows {
        let bytes = answered::<[u8; 16]>(&bytes, 0, error).unwrap();
        let Some(TransportSlice::Icmpv6(icmp)) = SlicedPacket::from_ip(&bytes).unwrap().transport
        else {
            panic!("{error:?} is no ICMPv6");
        };
        assert_eq!(icmp.icmp_type(), expected);
    }
}

#[test]
fn an_mtu_beyond_16_bits_is_the_most_ipv4_can_say() {
    let bytes = sample([10, 0, 0, 1], [10, 0, 0, 2], UDP).build();
    let answer = answered::<[u8; 4]>(&bytes, 0, Answer::TooBig { mtu: 70_000 }).unwrap();
    assert_eq!(answer[24..28], [0, 0, 0xff, 0xff]);
}

#[test]
fn too_little_to_quote_is_no_answer() {
    let mut bytes =
        sample([10, 0, 0, 1], [10, 0, 0, 2], SampleL4::Icmp { kind: 8, code: 0, rest: [0; 4] })
            .build();
    bytes[2..4].copy_from_slice(&[0, 24]);
    let packet = parse_l3::<[u8; 4], [u8]>(&bytes, 0).unwrap();
    assert_eq!(quote_length(&bytes[..], &packet), Err(TooShort));
}

fn answerable<A: SampleNet>(src: A, dst: A, l4: SampleL4) -> bool {
    let bytes = sample(src, dst, l4).build();
    may_answer(&parse_l3::<A, [u8]>(&bytes, 0).unwrap())
}

#[test]
fn errors_go_to_single_hosts_and_never_about_errors() {
    let icmp = |kind| SampleL4::Icmp { kind, code: 0, rest: [0; 4] };
    let (a, b) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    let rows = [
        ("UDP", a, b, UDP, true),
        ("a ping", a, b, icmp(8), true),
        ("unreachable", a, b, icmp(3), false),
        ("redirect", a, b, icmp(5), false),
        ("time exceeded", a, b, icmp(11), false),
        ("from nobody", [0; 4], b, UDP, false),
        ("from loopback", [127, 0, 0, 1], b, UDP, false),
        ("from a group", [224, 0, 0, 1], b, UDP, false),
        ("from everybody", [255; 4], b, UDP, false),
        ("to a group", a, [239, 1, 1, 1], UDP, false),
        ("to everybody", a, [255; 4], UDP, false),
    ];
    for (name, src, dst, l4, expected) in rows {
        assert_eq!(answerable(src, dst, l4), expected, "IPv4: {name}");
    }

    let host = |last| [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
    let group = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let loopback = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let rows = [
        ("UDP", host(1), host(2), UDP, true),
        ("a ping", host(1), host(2), icmp(128), true),
        ("too big", host(1), host(2), icmp(2), false),
        ("an error yet unknown", host(1), host(2), icmp(100), false),
        ("redirect", host(1), host(2), icmp(137), false),
        ("from nobody", [0; 16], host(2), UDP, false),
        ("from loopback", loopback, host(2), UDP, false),
        ("from a group", group, host(2), UDP, false),
        ("to a group", host(1), group, UDP, false),
    ];
    for (name, src, dst, l4, expected) in rows {
        assert_eq!(answerable(src, dst, l4), expected, "IPv6: {name}");
    }
}

#[test]
fn later_fragments_are_not_answered() {
    let mut bytes = sample([10, 0, 0, 1], [10, 0, 0, 2], UDP).build();
    bytes[7] = 1;
    assert!(!may_answer(&parse_l3::<[u8; 4], [u8]>(&bytes, 0).unwrap()));
}
