//! Resets of our own, against etherparse and the rule of RFC 9293.

use etherparse::{IpSlice, SlicedPacket, TcpSlice, TransportSlice};
use proptest::prelude::*;

use super::samples::{Sample, SampleL4, SampleNet, with_ports};
use crate::packet::{Packet, Reset, TcpFlags, may_reset, parse_l3};

/// The reset that answers a sample, as it is sent.
fn answered<A: SampleNet>(bytes: &[u8]) -> Vec<u8> {
    let packet: Packet<A> = parse_l3(bytes, 0).unwrap();
    let reset = Reset::of(bytes, &packet).unwrap();
    [Reset::ip(&packet).as_ref(), &reset.tcp(&packet)].concat()
}

fn tcp(bytes: &[u8]) -> (IpSlice<'_>, TcpSlice<'_>) {
    let sliced = SlicedPacket::from_ip(bytes).unwrap();
    let ip = IpSlice::from_slice(bytes).unwrap();
    match sliced.transport {
        Some(TransportSlice::Tcp(tcp)) => (ip, tcp),
        other => panic!("no TCP: {other:?}"),
    }
}

fn is_what_the_sender_believes<A: SampleNet>(sample: &Sample<A>) {
    let SampleL4::Tcp { flags, .. } = sample.l4 else { return };
    let bytes = sample.build();
    let answer = answered::<A>(&bytes);
    let ((asked_ip, asked), (ip, tcp)) = (tcp(&bytes), tcp(&answer));
    assert_eq!(
        (ip.source_addr(), ip.destination_addr(), tcp.source_port(), tcp.destination_port()),
        (
            asked_ip.destination_addr(),
            asked_ip.source_addr(),
            asked.destination_port(),
            asked.source_port()
        )
    );
    let has = |flag: TcpFlags| TcpFlags(flags).has(flag);
    let length = u32::try_from(sample.payload.len()).unwrap()
        + u32::from(has(TcpFlags::SYN))
        + u32::from(has(TcpFlags::FIN));
    let expected = if has(TcpFlags::ACK) {
        (asked.acknowledgment_number(), 0, true, false)
    } else {
        (0, asked.sequence_number().wrapping_add(length), true, true)
    };
    let said = (tcp.sequence_number(), tcp.acknowledgment_number(), tcp.rst(), tcp.ack());
    assert_eq!(said, expected, "{flags:#x}");
    let checksum = match &ip {
        IpSlice::Ipv4(ip) => {
            assert_eq!(
                ip.header().header_checksum(),
                ip.header().to_header().calc_header_checksum()
            );
            let (src, dst) = (ip.header().source(), ip.header().destination());
            tcp.calc_checksum_ipv4(src, dst).unwrap()
        }
        IpSlice::Ipv6(ip) => {
            let (src, dst) = (ip.header().source(), ip.header().destination());
            tcp.calc_checksum_ipv6(src, dst).unwrap()
        }
    };
    assert_eq!((tcp.checksum(), tcp.payload().len()), (checksum, 0));
}

proptest! {
    #[test]
    fn an_ipv4_reset_has_the_numbers_its_receiver_believes(sample in with_ports::<[u8; 4]>()) {
        is_what_the_sender_believes(&sample);
    }

    #[test]
    fn an_ipv6_reset_has_the_numbers_its_receiver_believes(sample in with_ports::<[u8; 16]>()) {
        is_what_the_sender_believes(&sample);
    }
}

#[test]
fn resets_answer_segments_that_are_none_themselves() {
    for (flags, expected) in [(0x02, true), (0x10, true), (0x04, false), (0x14, false)] {
        let l4 = SampleL4::Tcp { sport: 1, dport: 2, flags, options: 0 };
        let (src, dst, payload) = ([10, 0, 0, 1], [10, 0, 0, 2], vec![]);
        let sample = Sample { src, dst, ttl: 64, dont_fragment: true, extras: 0, l4, payload };
        let packet: Packet<[u8; 4]> = parse_l3(&sample.build()[..], 0).unwrap();
        assert_eq!(may_reset(packet.transport), expected, "{flags:#x}");
    }
}
