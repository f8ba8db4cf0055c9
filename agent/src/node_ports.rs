//! The NodePorts that are served, and those that a process of this node listens on too: it gets
//! nothing there, because packets are translated before they reach a socket.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, bind, socket};

use crate::model::Protocol;
use crate::problem::Problem;

/// The NodePorts that are served.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct NodePorts {
    /// The lowest and the highest, if there is any, with those that are to go.
    pub range: Option<(u16, u16)>,
    /// Each of them.
    pub ports: BTreeSet<(u16, Protocol)>,
}

/// NodePorts at addresses of this node that a process listens on.
#[must_use]
pub fn shadowed(addresses: &BTreeSet<IpAddr>, ports: &NodePorts) -> BTreeSet<Problem> {
    let mut problems = BTreeSet::new();
    for &(port, protocol) in &ports.ports {
        let taken = addresses.iter().find(|ip| is_taken(SocketAddr::new(**ip, port), protocol));
        if let Some(ip) = taken {
            problems.insert(problem(SocketAddr::new(*ip, port), protocol));
        }
    }
    problems
}

/// Whether a socket that does not share its address cannot have this one.
fn is_taken(address: SocketAddr, protocol: Protocol) -> bool {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let kind = match protocol {
        Protocol::Tcp => SocketType::STREAM,
        Protocol::Udp => SocketType::DGRAM,
        // To ask would load the kernel's module.
        Protocol::Sctp => return false,
    };
    let Ok(socket) = socket(family, kind, None) else { return false };
    bind(&socket, &address) == Err(Errno::ADDRINUSE)
}

fn problem(address: SocketAddr, protocol: Protocol) -> Problem {
    let message = format!(
        "is also the port of a process of this node, which gets nothing that is sent to {address}: \
         move one of them to another port"
    );
    Problem::note(format!("NodePort {}/{protocol}", address.port()), message)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    #[test]
    fn a_node_port_that_a_process_listens_on_is_told() {
        let stream = TcpListener::bind("127.0.0.1:0").unwrap();
        let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
        let [tcp, udp] = [stream.local_addr(), datagrams.local_addr()].map(|it| it.unwrap().port());
        let told = |kind: &str, port| {
            format!(
                "NodePort {port}/{kind} is also the port of a process of this node, which gets \
                 nothing that is sent to 127.0.0.1:{port}: move one of them to another port"
            )
        };
        for (name, address, ports, expected) in [
            ("TCP", "127.0.0.1", (tcp, Protocol::Tcp), Some(told("TCP", tcp))),
            ("UDP", "127.0.0.1", (udp, Protocol::Udp), Some(told("UDP", udp))),
            ("at another address", "127.0.0.2", (tcp, Protocol::Tcp), None),
            ("at no address of this host", "192.0.2.1", (tcp, Protocol::Tcp), None),
        ] {
            let node_ports = NodePorts { range: None, ports: [ports].into() };
            let addresses: BTreeSet<IpAddr> = [address.parse().unwrap()].into();
            let problems = shadowed(&addresses, &node_ports);
            let found: Vec<_> = problems.iter().map(ToString::to_string).collect();
            assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{name}");
        }
    }
}
