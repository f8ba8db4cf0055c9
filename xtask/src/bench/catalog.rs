//! The Services that are there while it is measured, and the few of them that are asked.

use std::net::{Ipv4Addr, SocketAddrV4};

/// Where the backend listens, by both protocols.
pub(super) const BACKEND_PORT: u16 = 8080;

/// How many Services see new flows, each in one window only.
pub(super) const FRESH: usize = 28;

/// Port that a Service's clients use.
const PORT: u16 = 80;

/// Asked by connections.
const CONNECTIONS: usize = 0;
/// Asked by the one flow that goes on.
const ESTABLISHED: usize = 1;
/// The first one that sees new flows.
const FIRST_FRESH: usize = 2;

/// What carries a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Tcp,
    Udp,
}

/// One Service with one port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) protocol: Protocol,
    /// Where clients ask.
    pub(super) frontend: SocketAddrV4,
    pub(super) endpoints: Vec<Endpoint>,
}

/// Who answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) address: SocketAddrV4,
    pub(super) node: &'static str,
}

/// All Services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Catalog(pub(super) Vec<Service>);

impl Catalog {
    /// So many Services; those that are asked are answered by the backend alone, and the others by
    /// two pods of another node that are not there.
    pub(super) fn new(count: usize, backend: Ipv4Addr) -> Self {
        let service = |index| Service {
            name: format!("bench-{index:05}"),
            protocol: if (ESTABLISHED..FIRST_FRESH + FRESH).contains(&index) {
                Protocol::Udp
            } else {
                Protocol::Tcp
            },
            frontend: SocketAddrV4::new(virtual_address(index), PORT),
            endpoints: if index < FIRST_FRESH + FRESH {
                let address = SocketAddrV4::new(backend, target_port(index));
                vec![Endpoint { address, node: "node-a" }]
            } else {
                vec![absent(2 * index), absent(2 * index + 1)]
            },
        };
        Self((0..count).map(service).collect())
    }

    /// The Service of connections.
    pub(super) fn connections() -> SocketAddrV4 {
        SocketAddrV4::new(virtual_address(CONNECTIONS), PORT)
    }

    /// The Service of the one flow that goes on.
    pub(super) fn established() -> SocketAddrV4 {
        SocketAddrV4::new(virtual_address(ESTABLISHED), PORT)
    }

    /// A Service that no flow has asked before, for the window of a number below [`FRESH`].
    pub(super) fn fresh(window: usize) -> SocketAddrV4 {
        SocketAddrV4::new(virtual_address(FIRST_FRESH + window), PORT)
    }
}

/// Each Service with new flows has a port of its own at the backend: the same ports of the client
/// would otherwise stand for flows of another Service, and another source port would be looked for.
fn target_port(index: usize) -> u16 {
    let number = (index + 1).saturating_sub(FIRST_FRESH);
    u16::try_from(number).map_or(BACKEND_PORT, |number| BACKEND_PORT + number)
}

/// A different one for each index below 65,536.
fn virtual_address(index: usize) -> Ipv4Addr {
    let [.., high, low] = index.to_be_bytes();
    Ipv4Addr::new(10, 97, high, low)
}

fn absent(index: usize) -> Endpoint {
    let [.., high, low] = index.to_be_bytes();
    let address = SocketAddrV4::new(Ipv4Addr::new(10, 245, high, low), BACKEND_PORT);
    Endpoint { address, node: "node-b" }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Catalog, FRESH, Protocol};

    #[test]
    fn the_services_that_are_asked_have_the_backend_alone_and_speak_what_they_are_asked_by() {
        let backend = "10.244.1.3".parse().unwrap();
        let catalog = Catalog::new(1000, backend);
        let asked =
            [(Catalog::connections(), Protocol::Tcp), (Catalog::established(), Protocol::Udp)]
                .into_iter()
                .chain((0..FRESH).map(|window| (Catalog::fresh(window), Protocol::Udp)));
        for (frontend, protocol) in asked {
            let service = catalog.0.iter().find(|service| service.frontend == frontend).unwrap();
            let endpoints: Vec<_> = service.endpoints.iter().map(|e| *e.address.ip()).collect();
            assert_eq!((service.protocol, endpoints), (protocol, vec![backend]), "{frontend}");
        }
    }

    #[test]
    fn no_two_services_share_a_frontend_or_the_endpoint_of_new_flows() {
        let catalog = Catalog::new(10_000, "10.244.1.3".parse().unwrap());
        let frontends: BTreeSet<_> = catalog.0.iter().map(|service| service.frontend).collect();
        let endpoints: BTreeSet<_> =
            catalog.0.iter().flat_map(|service| &service.endpoints).map(|e| e.address).collect();
        assert_eq!(
            (frontends.len(), endpoints.len()),
            (10_000, 2 * (10_000 - 2 - FRESH) + FRESH + 1)
        );
    }
}
