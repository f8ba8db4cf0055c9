//! Frames of the tunnel between nodes: whoever reaches its port could write packets of any pod, so
//! they are taken of nodes alone.

use super::{Tables, Verdict};
use crate::abi::{Address, DropReason, NetworkKind, Port};
use crate::packet::Packet;

/// What becomes of a datagram for this node's end of the tunnel; nothing of any other.
// Not inlined: most datagrams are none, and its stack is needed elsewhere.
#[inline(never)]
pub(super) fn judge<A: Address>(packet: &Packet<A>, tables: &impl Tables<A>) -> Option<Verdict> {
    let port = tables.node()?.tunnel_port;
    if packet.key.dport != port || port == Port::new(0) {
        return None;
    }
    if !is(packet.key.dst, NetworkKind::OwnNode, tables) {
        return None;
    }
    Some(match is(packet.key.src, NetworkKind::OtherNode, tables) {
        true => Verdict::Pass,
        false => Verdict::Drop(DropReason::TunnelOfStranger),
    })
}

#[inline(always)]
fn is<A: Address>(addr: A, kind: NetworkKind, tables: &impl Tables<A>) -> bool {
    tables.network(&addr.widen()).is_some_and(|network| network.kind == kind.number())
}

#[cfg(test)]
mod tests {
    use super::super::outcome::Outcome;
    use super::super::world::{Host, SYN, UDP, World, packet};
    use super::*;
    use crate::abi::{Delivery, Network, NetworkFlags};
    use crate::packet::Transport;

    const PORT: u16 = 8472;

    fn world<A: Host>(port: u16) -> World<A> {
        let world = World::new(A::host(A::PEER, 4), Delivery::Bypass);
        world.tables.node.lock().unwrap().as_mut().unwrap().tunnel_port = Port::new(port);
        let kind = NetworkKind::OtherNode.number();
        let other = Network { kind, flags: NetworkFlags::default(), reserved: [0; 2] };
        world.tables.networks.lock().unwrap().insert(other_node::<A>().widen(), other);
        world
    }

    fn other_node<A: Host>() -> A {
        A::host(192, 77)
    }

    fn frames_are_judged<A: Host>() {
        let dropped = Outcome::Drop(DropReason::TunnelOfStranger);
        let (stranger, node) = (A::outside(), other_node::<A>());
        for (name, port, from, to, dport, transport, expected) in [
            ("of a node", PORT, node, A::node(), PORT, UDP, Outcome::Pass),
            ("of a stranger", PORT, stranger, A::node(), PORT, UDP, dropped),
            ("of a pod elsewhere", PORT, A::host(A::PEER, 4), A::node(), PORT, UDP, dropped),
            ("of a pod", PORT, A::client(), A::node(), PORT, UDP, dropped),
            ("no tunnel", 0, stranger, A::node(), PORT, UDP, Outcome::Pass),
            ("port 0", 0, stranger, A::node(), 0, UDP, Outcome::Pass),
            ("another port", PORT, stranger, A::node(), PORT + 1, UDP, Outcome::Pass),
            ("another protocol", PORT, stranger, A::node(), PORT, SYN, Outcome::Pass),
            ("for somebody else", PORT, stranger, A::host(A::PEER, 4), PORT, UDP, Outcome::Pass),
        ]
            as [(&str, u16, A, A, u16, Transport, Outcome<A>); 9]
        {
            let frame = packet((from, 50_000), (to, dport), transport);
            assert_eq!(world::<A>(port).arrived(&frame), expected, "{name}");
        }
    }

    #[test]
    fn frames_are_taken_of_nodes_alone() {
        frames_are_judged::<[u8; 4]>();
        frames_are_judged::<[u8; 16]>();
    }
}
