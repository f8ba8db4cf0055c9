//! ICMP errors: reading the packet they quote, and rewriting both.

use proptest::prelude::*;

use super::samples::{Sample, SampleL4, SampleNet, of_any_kind, with_ports};
use crate::{
    abi::{FlowKey, Port, Proto},
    flow::Related,
    packet::{Framing, ParseError, Quoted, apply_related, parse, parse_l3, quoted},
};

/// An error of `sender` that quotes the first `length` bytes of `inner`.
fn error<A: SampleNet>(inner: &Sample<A>, sender: A, length: usize) -> Sample<A> {
    let mut quote = inner.build();
    quote.truncate(length);
    Sample {
        src: sender,
        dst: inner.src,
        ttl: 60,
        dont_fragment: false,
        extras: 0,
        l4: SampleL4::Icmp { kind: A::KINDS[1], code: 1, rest: [0, 0, 5, 0] },
        payload: quote,
    }
}

fn l4_offset<A: SampleNet>(sample: &Sample<A>) -> usize {
    parse_l3::<A, [u8]>(&sample.build(), 0).unwrap().l4.try_into().unwrap()
}

fn the_quoted_tuple_is_found<A: SampleNet>(inner: &Sample<A>, sender: A, beyond: usize) {
    let inner_l4 = l4_offset(inner);
    let bytes = error(inner, sender, inner_l4 + 8 + beyond).build();
    let packet = parse_l3(&bytes[..], 0).unwrap();
    let l3 = packet.l4 + 8;
    let l4 = l3 + u32::try_from(inner_l4).unwrap();
    assert_eq!(quoted(&bytes[..], &packet), Ok(Quoted { key: inner.key(), l3, l4 }));

    let short = error(inner, sender, inner_l4 + 7).build();
    let packet = parse_l3::<A, [u8]>(&short, 0).unwrap();
    assert_eq!(quoted(&short[..], &packet), Err(ParseError::TooShort));
}

/// Rewrites the error and compares it with one that quotes the rewritten packet from the outset.
fn a_related_rewrite_equals_an_error_built_anew<A: SampleNet>(
    inner: &Sample<A>,
    (client, backend, port): (A, A, u16),
    sender: A,
    beyond: usize,
) {
    let length = l4_offset(inner) + 8 + beyond;
    let before = error(inner, sender, length);
    let mut bytes = before.build();
    let packet = parse_l3(&bytes[..], 0).unwrap();
    let quote = quoted(&bytes[..], &packet).unwrap();

    let to = FlowKey { src: client, dst: backend, dport: Port::new(port), ..inner.key() };
    // A router on the way is no part of the flow.
    let sent_as = if sender == inner.key().dst { backend } else { sender };
    let mut after = error(&inner.with_key(&to), sent_as, length);
    if matches!(inner.l4, SampleL4::Tcp { .. }) && beyond == 9 {
        // Half a checksum is quoted. It stays, as half a checksum cannot be updated.
        *after.payload.last_mut().unwrap() = *before.payload.last().unwrap();
    }
    let related = Related { quote, to: to.turned() };
    apply_related(&related, &packet, &mut bytes[..]).unwrap();
    assert_eq!(bytes, after.build());
}

proptest! {
    #[test]
    fn eight_bytes_of_ipv4_transport_tell_the_quoted_tuple(
        inner in with_ports(), sender in any::<[u8; 4]>(), beyond in 0..40_usize,
    ) {
        the_quoted_tuple_is_found(&inner, sender, beyond);
    }

    #[test]
    fn eight_bytes_of_ipv6_transport_tell_the_quoted_tuple(
        inner in with_ports(), sender in any::<[u8; 16]>(), beyond in 0..40_usize,
    ) {
        the_quoted_tuple_is_found(&inner, sender, beyond);
    }

    #[test]
    fn a_rewritten_ipv4_error_equals_one_built_anew(
        inner in with_ports(), to in any::<([u8; 4], [u8; 4], u16)>(),
        sender in any::<[u8; 4]>(), beyond in 0..40_usize,
    ) {
        a_related_rewrite_equals_an_error_built_anew(&inner, to, sender, beyond);
        a_related_rewrite_equals_an_error_built_anew(&inner, to, inner.key().dst, beyond);
    }

    #[test]
    fn a_rewritten_ipv6_error_equals_one_built_anew(
        inner in with_ports(), to in any::<([u8; 16], [u8; 16], u16)>(),
        sender in any::<[u8; 16]>(), beyond in 0..40_usize,
    ) {
        a_related_rewrite_equals_an_error_built_anew(&inner, to, sender, beyond);
        a_related_rewrite_equals_an_error_built_anew(&inner, to, inner.key().dst, beyond);
    }

    #[test]
    fn random_quotes_never_panic(
        quote in proptest::collection::vec(any::<u8>(), 0..100),
        version in prop_oneof![Just(0x45_u8), Just(0x4f), any::<u8>()],
        addresses in any::<([u8; 4], [u8; 4])>(),
    ) {
        let mut payload = quote;
        if let Some(first) = payload.first_mut() {
            *first = version;
        }
        let l4 = SampleL4::Icmp { kind: 3, code: 4, rest: [0; 4] };
        let (src, dst) = addresses;
        let sample = Sample { src, dst, ttl: 1, dont_fragment: true, extras: 0, l4, payload };
        let bytes = sample.build();
        let packet = parse_l3::<[u8; 4], [u8]>(&bytes, 0).unwrap();
        if let Ok(quote) = quoted(&bytes[..], &packet) {
            prop_assert!(usize::try_from(quote.l4).unwrap() + 8 <= bytes.len());
        }
    }

    #[test]
    fn only_errors_quote(sample in of_any_kind::<[u8; 4]>()) {
        let bytes = sample.build();
        let packet = parse_l3::<[u8; 4], [u8]>(&bytes, 0).unwrap();
        let is_error = matches!(sample.l4, SampleL4::Icmp { kind: 3 | 11, .. });
        let answer = quoted(&bytes[..], &packet);
        prop_assert_eq!(answer == Err(ParseError::NotAnIcmpError), !is_error);
    }
}

#[test]
fn quotes_without_ports_are_refused_by_name() {
    let (src, dst) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    let l4 = SampleL4::Udp { sport: 1, dport: 2, checksum: true };
    let udp =
        Sample { src, dst, ttl: 64, dont_fragment: false, extras: 0, l4, payload: vec![0; 8] };
    let icmp = SampleL4::Icmp { kind: 8, code: 0, rest: [0; 4] };
    let mut fragment = error(&udp, dst, 28);
    fragment.payload[7] = 1;
    let rows = [
        ("a ping", error(&Sample { l4: icmp, ..udp.clone() }, dst, 28)),
        ("another protocol", error(&Sample { l4: SampleL4::Other, ..udp.clone() }, dst, 28)),
        ("a later fragment", fragment),
    ];
    for (name, sample) in rows {
        let bytes = sample.build();
        let Ok(crate::packet::Parsed::V4(packet)) = parse(&bytes[..], Framing::Ip) else {
            panic!("{name}: not parsed");
        };
        assert_eq!(packet.key.proto, Proto::ICMP);
        assert_eq!(quoted(&bytes[..], &packet), Err(ParseError::QuoteWithoutPorts), "{name}");
    }
}

#[test]
fn a_redirect_is_not_about_the_flow_that_it_quotes() {
    let (src, dst) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    let l4 = SampleL4::Udp { sport: 1, dport: 2, checksum: true };
    let udp =
        Sample { src, dst, ttl: 64, dont_fragment: false, extras: 0, l4, payload: vec![0; 8] };
    for (kind, expected) in [(3, true), (4, true), (5, false), (11, true), (12, true)] {
        let l4 = SampleL4::Icmp { kind, code: 1, rest: [0; 4] };
        let bytes = Sample { l4, ..error(&udp, dst, 28) }.build();
        let packet = parse_l3::<[u8; 4], [u8]>(&bytes, 0).unwrap();
        assert_eq!(quoted(&bytes[..], &packet).is_ok(), expected, "type {kind}");
    }
}
