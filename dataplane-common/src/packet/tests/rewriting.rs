//! Rewrites against packets that etherparse builds with the new tuple, byte by byte.

use proptest::prelude::*;

use super::samples::{Sample, SampleNet, of_any_kind, with_ports};
use crate::{
    abi::{FlowKey, Port},
    flow::Rewrite,
    packet::{TooShort, Transport, apply, parse_l3},
};

/// Whatever goes before the IP header stays untouched.
const LINK: [u8; 14] = [7; 14];

#[derive(Clone, Debug)]
struct Tuple<A>(A, A, u16, u16);

fn tuple<A: SampleNet>() -> impl Strategy<Value = Tuple<A>> {
    (any::<A>(), any::<A>(), any::<u16>(), any::<u16>())
        .prop_map(|(src, dst, sport, dport)| Tuple(src, dst, sport, dport))
}

fn rewrite_to<A: SampleNet>(sample: &Sample<A>, tuple: &Tuple<A>, routed: bool) -> Rewrite<A> {
    let from = sample.key();
    let Tuple(src, dst, sport, dport) = *tuple;
    let to = FlowKey { src, dst, sport: Port::new(sport), dport: Port::new(dport), ..from };
    Rewrite { from, to, routed }
}

fn rewritten<A: SampleNet>(bytes: &[u8], rewrite: &Rewrite<A>) -> Vec<u8> {
    let mut bytes = [&LINK, bytes].concat();
    let packet = parse_l3(&bytes[..], 14).unwrap();
    apply(rewrite, &packet, &mut bytes[..]).unwrap();
    assert_eq!(bytes[..14], LINK);
    bytes.split_off(14)
}

fn equals_a_packet_built_anew<A: SampleNet>(sample: &Sample<A>, tuple: &Tuple<A>, routed: bool) {
    let rewrite = rewrite_to(sample, tuple, routed);
    let expected =
        Sample { ttl: sample.ttl.saturating_sub(u8::from(routed)), ..sample.with_key(&rewrite.to) };
    assert_eq!(rewritten(&sample.build(), &rewrite), expected.build());
}

fn is_undone_by_its_inverse<A: SampleNet>(sample: &Sample<A>, tuple: &Tuple<A>) {
    let there = rewrite_to(sample, tuple, false);
    let back = Rewrite { from: there.to, to: there.from, routed: false };
    let original = sample.build();
    assert_eq!(rewritten(&rewritten(&original, &there), &back), original);
}

proptest! {
    #[test]
    fn a_rewritten_ipv4_packet_equals_one_built_anew(
        sample in of_any_kind::<[u8; 4]>(), tuple in tuple(), routed in any::<bool>(),
    ) {
        equals_a_packet_built_anew(&sample, &tuple, routed);
    }

    #[test]
    fn a_rewritten_ipv6_packet_equals_one_built_anew(
        sample in of_any_kind::<[u8; 16]>(), tuple in tuple(), routed in any::<bool>(),
    ) {
        equals_a_packet_built_anew(&sample, &tuple, routed);
    }

    #[test]
    fn an_ipv4_rewrite_is_undone_by_its_inverse(
        sample in of_any_kind::<[u8; 4]>(), tuple in tuple(),
    ) {
        is_undone_by_its_inverse(&sample, &tuple);
    }

    #[test]
    fn an_ipv6_rewrite_is_undone_by_its_inverse(
        sample in of_any_kind::<[u8; 16]>(), tuple in tuple(),
    ) {
        is_undone_by_its_inverse(&sample, &tuple);
    }
}

proptest! {
    #[test]
    fn a_later_fragment_changes_in_its_ip_header_alone(
        sample in with_ports::<[u8; 4]>(), tuple in tuple(),
    ) {
        let mut bytes = sample.build();
        bytes[7] = 1;
        let packet = parse_l3::<[u8; 4], [u8]>(&bytes, 0).unwrap();
        prop_assert_eq!(packet.transport, Transport::LaterFragment);
        let after = rewritten(&bytes, &rewrite_to(&sample, &tuple, true));
        let l4 = packet.l4 as usize;
        prop_assert_eq!(&after[l4..], &bytes[l4..]);
        prop_assert_eq!(&after[12..20], &[tuple.0, tuple.1].concat()[..]);
    }

    #[test]
    fn bytes_of_another_packet_are_refused(
        sample in with_ports::<[u8; 16]>(), tuple in tuple(),
    ) {
        let bytes = sample.build();
        let packet = parse_l3(&bytes[..], 0).unwrap();
        let mut short = bytes[..30].to_vec();
        let rewrite = rewrite_to(&sample, &tuple, true);
        prop_assert_eq!(apply(&rewrite, &packet, &mut short[..]), Err(TooShort));
    }
}
