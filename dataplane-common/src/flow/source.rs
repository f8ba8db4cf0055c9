//! What stands for a client, where that must not be seen: an address of the node, and source ports,
//! also in place of one that is taken.

use super::ServiceTables;
use super::select::scale;
use crate::abi::{Address, NetworkFlags, Node, NodeFlags, Port};

/// Of flows that keep their client's address: above Linux's default `ip_local_port_range`, so that
/// no socket of the client gets them.
const FIRST_OF_CLIENT: u16 = 61_000;
const LAST_OF_CLIENT: u16 = 65_535;
/// How many of them are tried.
const MOST_OF_CLIENT: u32 = 5;

/// The node's address that stands for clients of a backend: through a tunnel the one that it has in
/// there, because between nodes nobody carries what a pod answers to any other.
#[inline(always)]
pub(super) fn masquerade<A: Address>(node: &Node, backend: A, tables: &impl ServiceTables) -> A {
    let tunnel = A::tunnel(node);
    let is_through = tunnel != A::ANY
        && tables
            .network(&backend.widen())
            .is_some_and(|network| network.flags.has(NetworkFlags::TUNNEL));
    if is_through { tunnel } else { A::masquerade(node) }
}

/// The ports to try for one flow, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Ports {
    /// The one at hand.
    port: Port,
    /// Whether a socket of this node may have the one at hand, and whether any other.
    doubtful: bool,
    shared: bool,
    /// Whether the one at hand has been tried again.
    again: bool,
    /// How many have been tried, with the one at hand.
    tried: u32,
    /// How many may be.
    most: u32,
    /// The range's lowest port, and how many it has.
    first: u16,
    count: u32,
    /// The next one's place in the range, and how far from it the one after it is.
    place: u32,
    stride: u32,
}

impl Ports {
    /// How many ports are tried for any flow.
    pub(super) const MOST: u32 = 32;

    /// Of a flow that keeps its client's address, and its port if it may.
    #[inline(always)]
    pub(super) fn of_client(own: Port, random: u32) -> Self {
        Self {
            port: own,
            ..Self::from_range(FIRST_OF_CLIENT, LAST_OF_CLIENT, MOST_OF_CLIENT, random)
        }
    }

    /// Of a flow that gets the node's address: the client's own where the node has it to give.
    #[inline(always)]
    pub(super) fn of_node(node: &Node, own: Port, random: u32) -> Self {
        let ports = Self {
            shared: node.flags.has(NodeFlags::SHARED_PORTS),
            ..Self::from_range(node.first_port, node.last_port, Self::MOST, random)
        };
        // Clients like to come from the port of their protocol, which a process here may have too.
        let kept = Self { port: own, doubtful: true, ..ports };
        if node.gives(own) { kept } else { ports.following() }
    }

    /// Of a flow whose protocol keeps its ports: the client's own and no other.
    #[inline(always)]
    pub(super) fn kept(own: Port) -> Self {
        Self { port: own, tried: 1, most: 1, ..Self::default() }
    }

    /// Before the first port; an odd stride meets every port of a range of even size in the end.
    #[inline(always)]
    fn from_range(first: u16, last: u16, most: u32, random: u32) -> Self {
        let count = u32::from(last.saturating_sub(first)).wrapping_add(1);
        let (place, stride) = (scale(random, count), random & 0x3f | 1);
        Self {
            port: Port::new(first),
            doubtful: false,
            shared: false,
            again: false,
            tried: 1,
            most,
            first,
            count,
            place,
            stride,
        }
    }

    /// The port at hand.
    #[inline(always)]
    pub(super) const fn port(&self) -> Port {
        self.port
    }

    /// Whether a socket of this node may have the port at hand.
    #[inline(always)]
    pub(super) const fn is_doubtful(&self) -> bool {
        self.doubtful
    }

    /// How many have been tried, with the one at hand.
    #[inline(always)]
    pub(super) const fn tried(&self) -> u32 {
        self.tried
    }

    /// Whether less than half of all tries have been made.
    #[inline(always)]
    pub(super) const fn is_early(&self) -> bool {
        self.tried <= self.most / 2
    }

    /// Whether the port at hand is to be tried again, after what had it was ended: once, because
    /// another CPU may be about to end the same.
    #[inline(always)]
    pub(super) fn give_another_chance(&mut self) -> bool {
        !core::mem::replace(&mut self.again, true)
    }

    /// Goes on to the next port; false where no more are to be tried.
    #[inline(always)]
    pub(super) fn next(&mut self) -> bool {
        let tried = self.tried.wrapping_add(1);
        *self = Self { again: false, tried, ..self.following() };
        tried <= self.most
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "below the range's size")]
    fn following(self) -> Self {
        let port = Port::new(self.first.wrapping_add(self.place as u16));
        let place = self.place.wrapping_add(self.stride).checked_rem(self.count).unwrap_or(0);
        Self { port, doubtful: self.shared, place, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(mut ports: Ports) -> Vec<u16> {
        let mut tried = vec![ports.port().number()];
        while ports.next() {
            tried.push(ports.port().number());
        }
        tried
    }

    #[test]
    fn a_flow_has_its_own_port_first_where_it_may_and_then_others_of_the_range() {
        let node = Node { first_port: 61_000, last_port: 61_099, ..Node::default() };
        for (name, ports, first, count) in [
            ("kept address", Ports::of_client(Port::new(40_000), 0), 40_000, 5),
            ("masqueraded, in the range", Ports::of_node(&node, Port::new(61_099), 0), 61_099, 32),
            ("masqueraded, beyond it", Ports::of_node(&node, Port::new(40_000), 0), 61_000, 32),
            ("the same, other luck", Ports::of_node(&node, Port::new(40_000), 1 << 31), 61_050, 32),
        ] {
            let tried = tried(ports);
            assert_eq!((tried[0], tried.len()), (first, count), "{name}");
            let mut others = tried[1..].to_vec();
            others.sort_unstable();
            others.dedup();
            assert_eq!(others.len(), count - 1, "{name}: each but once");
            assert!(others.iter().all(|port| *port >= 61_000), "{name}: {tried:?}");
        }
    }

    #[test]
    fn a_range_of_one_port_is_that_port() {
        let node = Node { first_port: 61_000, last_port: 61_000, ..Node::default() };
        let tried = tried(Ports::of_node(&node, Port::new(1), u32::MAX));
        assert_eq!(tried, [61_000; 32]);
    }
}
