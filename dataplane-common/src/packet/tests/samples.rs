//! Packets of any shape: a description of one, what builds it, and what draws it.

use core::fmt::Debug;

use etherparse::{
    IpAuthHeader, IpFragOffset, IpHeaders, IpNumber, Ipv4Extensions, Ipv4Header, Ipv6Extensions,
    Ipv6FlowLabel, Ipv6FragmentHeader, Ipv6Header, Ipv6RawExtHeader, Ipv6RoutingExtensions,
    PacketBuilder, PacketBuilderStep, TcpHeader,
};
use proptest::prelude::*;

use crate::{
    abi::{FlowKey, Port, Proto},
    packet::IpAddress,
};

/// A packet by what matters in it.
#[derive(Clone, Debug)]
pub(super) struct Sample<A> {
    pub(super) src: A,
    pub(super) dst: A,
    pub(super) ttl: u8,
    pub(super) dont_fragment: bool,
    /// IPv4: words of options. IPv6: a bit for each kind of extension header.
    pub(super) extras: u8,
    pub(super) l4: SampleL4,
    pub(super) payload: Vec<u8>,
}

#[derive(Clone, Debug)]
pub(super) enum SampleL4 {
    Tcp { sport: u16, dport: u16, flags: u8, options: usize },
    Udp { sport: u16, dport: u16, checksum: bool },
    Icmp { kind: u8, code: u8, rest: [u8; 4] },
    Other,
}

/// A protocol for experiments (RFC 3692).
const EXPERIMENT: IpNumber = IpNumber(253);

/// What samples of one IP version need.
pub(super) trait SampleNet: IpAddress + Arbitrary + 'static {
    /// Types of echo request, unreachable and time exceeded.
    const KINDS: [u8; 3];

    fn headers(sample: &Sample<Self>) -> IpHeaders;

    fn icmp(builder: PacketBuilderStep<IpHeaders>, icmp: (u8, u8, [u8; 4]), rest: &[u8])
    -> Vec<u8>;
}

impl SampleNet for [u8; 4] {
    const KINDS: [u8; 3] = [8, 3, 11];

    fn headers(sample: &Sample<Self>) -> IpHeaders {
        let options = vec![1; usize::from(sample.extras % 11) * 4];
        let header = Ipv4Header {
            dont_fragment: sample.dont_fragment,
            time_to_live: sample.ttl,
            source: sample.src,
            destination: sample.dst,
            options: options.as_slice().try_into().unwrap(),
            ..Ipv4Header::default()
        };
        IpHeaders::Ipv4(header, Ipv4Extensions::default())
    }

    fn icmp(
        builder: PacketBuilderStep<IpHeaders>,
        icmp: (u8, u8, [u8; 4]),
        rest: &[u8],
    ) -> Vec<u8> {
        let mut bytes = Vec::new();
        builder.icmpv4_raw(icmp.0, icmp.1, icmp.2).write(&mut bytes, rest).unwrap();
        bytes
    }
}

impl SampleNet for [u8; 16] {
    const KINDS: [u8; 3] = [128, 1, 3];

    fn headers(sample: &Sample<Self>) -> IpHeaders {
        let header = Ipv6Header {
            flow_label: Ipv6FlowLabel::ZERO,
            hop_limit: sample.ttl,
            source: sample.src,
            destination: sample.dst,
            ..Ipv6Header::default()
        };
        IpHeaders::Ipv6(header, extensions(sample.extras))
    }

    fn icmp(
        builder: PacketBuilderStep<IpHeaders>,
        icmp: (u8, u8, [u8; 4]),
        rest: &[u8],
    ) -> Vec<u8> {
        let mut bytes = Vec::new();
        builder.icmpv6_raw(icmp.0, icmp.1, icmp.2).write(&mut bytes, rest).unwrap();
        bytes
    }
}

fn extensions(bits: u8) -> Ipv6Extensions {
    let options = |bit: u8| {
        let payload = vec![0; 6 + usize::from(bits >> 6) * 8];
        let header = Ipv6RawExtHeader::new_raw(EXPERIMENT, &payload).unwrap();
        (bits >> bit & 1 == 1).then_some(header)
    };
    Ipv6Extensions {
        hop_by_hop_options: options(0),
        destination_options: options(1),
        routing: options(2).map(|routing| Ipv6RoutingExtensions {
            routing,
            final_destination_options: options(3),
        }),
        fragment: (bits >> 4 & 1 == 1)
            .then(|| Ipv6FragmentHeader::new(EXPERIMENT, IpFragOffset::ZERO, false, 7)),
        auth: (bits >> 5 & 1 == 1).then(|| IpAuthHeader::new(EXPERIMENT, 1, 2, &[0; 12]).unwrap()),
    }
}

impl<A: SampleNet> Sample<A> {
    /// The packet from its IP header on.
    pub(super) fn build(&self) -> Vec<u8> {
        let builder = PacketBuilder::ip(A::headers(self));
        let mut bytes = Vec::new();
        match self.l4 {
            SampleL4::Tcp { sport, dport, flags, options } => {
                let header = tcp(sport, dport, flags, options);
                builder.tcp_header(header).write(&mut bytes, &self.payload).unwrap();
            }
            SampleL4::Udp { sport, dport, checksum } => {
                builder.udp(sport, dport).write(&mut bytes, &self.payload).unwrap();
                if !checksum {
                    let field = bytes.len() - self.payload.len() - 2;
                    bytes[field..field + 2].fill(0);
                }
            }
            SampleL4::Icmp { kind, code, rest } => {
                bytes = A::icmp(builder, (kind, code, rest), &self.payload);
            }
            SampleL4::Other => builder.write(&mut bytes, EXPERIMENT, &self.payload).unwrap(),
        }
        bytes
    }

    /// The packet's tuple.
    pub(super) fn key(&self) -> FlowKey<A> {
        let (sport, dport, proto) = match self.l4 {
            SampleL4::Tcp { sport, dport, .. } => (sport, dport, Proto::TCP),
            SampleL4::Udp { sport, dport, .. } => (sport, dport, Proto::UDP),
            SampleL4::Icmp { .. } => (0, 0, A::ICMP),
            SampleL4::Other => (0, 0, Proto(EXPERIMENT.0)),
        };
        let (sport, dport) = (Port::new(sport), Port::new(dport));
        FlowKey { src: self.src, dst: self.dst, sport, dport, proto, reserved: [0; 3] }
    }

    /// The same packet with another tuple of its protocol.
    pub(super) fn with_key(&self, key: &FlowKey<A>) -> Self {
        let (source, destination) = (key.sport.number(), key.dport.number());
        let mut l4 = self.l4.clone();
        match &mut l4 {
            SampleL4::Tcp { sport, dport, .. } | SampleL4::Udp { sport, dport, .. } => {
                (*sport, *dport) = (source, destination);
            }
            SampleL4::Icmp { .. } | SampleL4::Other => {}
        }
        Self { src: key.src, dst: key.dst, l4, ..self.clone() }
    }
}

fn tcp(sport: u16, dport: u16, flags: u8, options: usize) -> TcpHeader {
    let mut header = TcpHeader::new(sport, dport, 7, 8);
    let bit = |position: u8| flags >> position & 1 == 1;
    (header.fin, header.syn, header.rst, header.psh) = (bit(0), bit(1), bit(2), bit(3));
    (header.ack, header.urg, header.ece, header.cwr) = (bit(4), bit(5), bit(6), bit(7));
    header.set_options_raw(&vec![1; options * 4]).unwrap();
    header
}

/// TCP and UDP packets.
pub(super) fn with_ports<A: SampleNet>() -> impl Strategy<Value = Sample<A>> {
    let l4 = prop_oneof![
        (any::<[u16; 2]>(), any::<u8>(), 0..=10_usize).prop_map(
            |([sport, dport], flags, options)| { SampleL4::Tcp { sport, dport, flags, options } }
        ),
        (any::<[u16; 2]>(), any::<bool>()).prop_map(|([sport, dport], checksum)| SampleL4::Udp {
            sport,
            dport,
            checksum
        }),
    ];
    sample(l4)
}

/// Packets of every kind.
pub(super) fn of_any_kind<A: SampleNet>() -> impl Strategy<Value = Sample<A>> {
    let l4 = prop_oneof![
        (proptest::sample::select(&A::KINDS[..]), 0..=5_u8, any::<[u8; 4]>())
            .prop_map(|(kind, code, rest)| SampleL4::Icmp { kind, code, rest }),
        Just(SampleL4::Other),
    ];
    prop_oneof![with_ports(), sample(l4)]
}

fn sample<A: SampleNet>(
    l4: impl Strategy<Value = SampleL4> + 'static,
) -> impl Strategy<Value = Sample<A>> {
    let header = (any::<A>(), any::<A>(), any::<u8>(), any::<bool>(), any::<u8>());
    let payload = proptest::collection::vec(any::<u8>(), 0..96);
    (header, l4, payload).prop_map(|((src, dst, ttl, dont_fragment, extras), l4, payload)| Sample {
        src,
        dst,
        ttl,
        dont_fragment,
        extras,
        l4,
        payload,
    })
}
