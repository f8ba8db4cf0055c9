//! How an island tells that it has everything that was written: one Service more, whose new port
//! leads to a new port of its endpoint. Whoever follows the API hears of objects of one kind in
//! their order, so that it is served after all others.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{
    places::REMOTE_PODS,
    probe::{Outcome, Probe, Protocol, Sender},
    service::{Family, Metadata, Port, Service},
    slice::{Endpoint, Slice, SlicePort},
    state::State,
};

/// The namespace of its objects.
pub(super) const NAMESPACE: &str = "sentinel";

const NAME: &str = "sentinel";

/// Above all that are generated.
const ADDRESSES: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(10, 96, 255, 254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x10, 0x96, 0, 0, 0, 0, 0xfffe)),
];

const ENDPOINT: super::places::Place = REMOTE_PODS[0];

/// The one of one state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sentinel {
    port: u16,
}

impl Sentinel {
    /// The one of the state of a number.
    pub(super) fn new(number: u32) -> Self {
        Self { port: 1_024 + u16::try_from(number % 60_000).unwrap_or_default() }
    }

    /// Its objects.
    pub(super) fn state(self) -> State {
        let mut state = State::default();
        let metadata = Metadata { name: NAME.to_owned(), ..Metadata::default() };
        let mut service = Service { metadata, ..Service::default() };
        service.spec.set_addresses(&ADDRESSES);
        service.spec.ports = vec![Port {
            name: String::new(),
            protocol: Protocol::Udp,
            port: self.port,
            node_port: None,
        }];
        state.set_service(service);
        for address in ENDPOINT.both() {
            state.set_slice(self.slice(address));
        }
        state
    }

    fn slice(self, address: IpAddr) -> Slice {
        let family = Family::of(address);
        let name = format!("{NAME}-{family:?}").to_lowercase();
        let mut slice = Slice::new(&name, NAME, family);
        let (protocol, port) = (Some(Protocol::Udp), Some(self.port));
        slice.ports = vec![SlicePort { name: None, protocol, port }];
        slice.endpoints = vec![Endpoint::at(address)];
        slice
    }

    /// What to ask an island for.
    pub(super) fn probes(self) -> Vec<Probe> {
        let probe = |address| Probe {
            sender: Sender::LocalPod,
            to: SocketAddr::new(address, self.port),
            protocol: Protocol::Udp,
            flows: 1,
        };
        ADDRESSES.map(probe).to_vec()
    }

    /// Whether that is the answer of an island that has everything.
    pub(super) fn has_arrived(self, outcomes: &[Outcome]) -> bool {
        let has_arrived = |(outcome, address): (&Outcome, IpAddr)| {
            let at = SocketAddr::new(address, self.port);
            outcome.arrived.keys().any(|arrival| arrival.at == at)
        };
        outcomes.len() == 2 && outcomes.iter().zip(ENDPOINT.both()).all(has_arrived)
    }
}
