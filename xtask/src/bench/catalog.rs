//! The Services that are there while it is measured, and the few of them that are asked.

use std::net::{Ipv4Addr, SocketAddrV4};

/// Where the backend listens, by both protocols.
pub(super) const BACKEND_PORT: u16 = 8080;

/// Port that a Service's clients use.
const PORT: u16 = 80;

/// A Service that is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked(usize);

/// By connections.
pub(super) const CONNECTIONS: Asked = Asked(0);
/// By the one flow that goes on.
pub(super) const ESTABLISHED: Asked = Asked(1);
/// By new flows.
pub(super) const NEW_FLOWS: Asked = Asked(2);
/// By connections of clients that stay with their backend.
pub(super) const STICKY_CONNECTIONS: Asked = Asked(3);
/// By new flows of such clients.
pub(super) const STICKY_NEW_FLOWS: Asked = Asked(4);

/// How many are asked.
const ASKED: usize = 5;

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
    /// Whether a client stays with its backend: `sessionAffinity: ClientIP`.
    pub(super) is_sticky: bool,
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
            protocol: match Asked(index) {
                ESTABLISHED | NEW_FLOWS | STICKY_NEW_FLOWS => Protocol::Udp,
                _ => Protocol::Tcp,
            },
            frontend: Asked(index).frontend(),
            is_sticky: [STICKY_CONNECTIONS, STICKY_NEW_FLOWS].contains(&Asked(index)),
            endpoints: if index < ASKED {
                let address = SocketAddrV4::new(backend, BACKEND_PORT);
                vec![Endpoint { address, node: "node-a" }]
            } else {
                vec![absent(2 * index), absent(2 * index + 1)]
            },
        };
        Self((0..count).map(service).collect())
    }
}

impl Asked {
    /// Where.
    pub(super) fn frontend(self) -> SocketAddrV4 {
        SocketAddrV4::new(virtual_address(self.0), PORT)
    }
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

    use super::{
        ASKED, CONNECTIONS, Catalog, ESTABLISHED, NEW_FLOWS, Protocol, STICKY_CONNECTIONS,
        STICKY_NEW_FLOWS,
    };

    #[test]
    fn every_service_that_is_asked_is_answered_by_the_backend_alone() {
        let backend = "10.244.1.3".parse().unwrap();
        let catalog = Catalog::new(1000, backend);
        for (asked, protocol, is_sticky) in [
            (CONNECTIONS, Protocol::Tcp, false),
            (ESTABLISHED, Protocol::Udp, false),
            (NEW_FLOWS, Protocol::Udp, false),
            (STICKY_CONNECTIONS, Protocol::Tcp, true),
            (STICKY_NEW_FLOWS, Protocol::Udp, true),
        ] {
            let frontend = asked.frontend();
            let service = catalog.0.iter().find(|service| service.frontend == frontend).unwrap();
            let endpoints: Vec<_> = service.endpoints.iter().map(|e| *e.address.ip()).collect();
            assert_eq!(
                (service.protocol, service.is_sticky, endpoints),
                (protocol, is_sticky, vec![backend]),
                "{frontend}"
            );
        }
        assert_eq!(catalog.0.iter().filter(|service| service.is_sticky).count(), 2);
    }

    #[test]
    fn no_two_services_share_a_frontend_or_an_endpoint_that_is_not_there() {
        let catalog = Catalog::new(10_000, "10.244.1.3".parse().unwrap());
        let frontends: BTreeSet<_> = catalog.0.iter().map(|service| service.frontend).collect();
        let endpoints: BTreeSet<_> =
            catalog.0.iter().flat_map(|service| &service.endpoints).map(|e| e.address).collect();
        assert_eq!((frontends.len(), endpoints.len()), (10_000, 2 * (10_000 - ASKED) + 1));
    }
}
