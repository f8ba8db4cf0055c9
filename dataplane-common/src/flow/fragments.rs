//! Datagrams in fragments: the first has the ports, the others are told by what they share with it.
//!
//! In order alone: a fragment that overtakes the first belongs to nobody known. Only fragments ask
//! or write the table.

use super::{Env, ServiceTables, Verdict, Work};
use crate::abi::{FragmentKey, Fragmented};
use crate::packet::{Bytes, IpAddress, Packet};

/// Seconds for which a host waits for the rest of a datagram (Linux's `ipfrag_time`).
const PATIENCE: u32 = 30;

/// At which of its hooks a fragment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hook {
    First,
    Last,
}

/// Gives a later fragment the ports of its first one; false where that one is not known.
// Not inlined: rare, and its stack is needed elsewhere.
#[inline(never)]
pub(super) fn complete<A: IpAddress>(
    packet: &mut Packet<A>,
    bytes: &impl Bytes,
    hook: Hook,
    tables: &impl ServiceTables,
    env: &impl Env,
    work: &mut Work<A>,
) -> bool {
    let Some(first) = key(packet, bytes, hook).and_then(|key| tables.fragment(&key)) else {
        return false;
    };
    (packet.key.sport, packet.key.dport) = (first.sport, first.dport);
    work.by_stack = first.by_stack != 0;
    env.now().saturating_sub(first.seen) <= PATIENCE
}

/// Writes down the first fragment of a datagram that is ours.
// Not inlined: as above.
#[inline(never)]
pub(super) fn note<A: IpAddress>(
    packet: &Packet<A>,
    bytes: &impl Bytes,
    hook: Hook,
    verdict: Verdict,
    tables: &impl ServiceTables,
    env: &impl Env,
) {
    let by_stack = u32::from(matches!(verdict, Verdict::Stack | Verdict::Pass));
    let (sport, dport) = (packet.key.sport, packet.key.dport);
    let first = Fragmented { sport, dport, seen: env.now(), by_stack };
    if let Some(key) = key(packet, bytes, hook) {
        tables.note_fragment(&key, &first);
    }
}

#[inline(always)]
fn key<A: IpAddress>(packet: &Packet<A>, bytes: &impl Bytes, hook: Hook) -> Option<FragmentKey> {
    Some(FragmentKey {
        src: packet.key.src.widen(),
        dst: packet.key.dst.widen(),
        id: A::identification(bytes, packet.l3, packet.l4).ok()?,
        proto: packet.key.proto,
        hook: match hook {
            Hook::First => 0,
            Hook::Last => 1,
        },
        reserved: [0; 2],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{Delivery, DropReason, Port, Proto};
    use crate::flow::Ingress;
    use crate::flow::outcome::Outcome;
    use crate::flow::world::{Host, NAT_PORTS, UDP, UPLINK, World, packet};
    use crate::packet::Transport;

    /// Bytes in which identifications stand: of a datagram and of another.
    const ONE: [u8; 64] = [1; 64];
    const OTHER: [u8; 64] = [2; 64];

    /// The first and a later fragment of a datagram.
    fn pieces<A: Host>(src: (A, u16), dst: (A, u16)) -> [Packet<A>; 2] {
        let whole = Packet { more_fragments: 1, ..packet(src, dst, UDP) };
        let mut later = Packet { transport: Transport::LaterFragment, ..whole };
        (later.key.sport, later.key.dport) = (Port::new(0), Port::new(0));
        assert_eq!(later.key.proto, Proto::UDP);
        [whole, later]
    }

    /// Both at a hook: the later one meets what the first meets, and that is not to pass.
    fn both<A: Host>(name: &str, fate: impl Fn(&Packet<A>) -> Outcome<A>, pieces: [Packet<A>; 2]) {
        let [first, later] = pieces.map(|piece| fate(&piece));
        assert_eq!(later, first, "{name}");
        assert!(!matches!(first, Outcome::Pass | Outcome::Drop(_)), "{name}: {first:?}");
    }

    fn walk<A: Host>() {
        let (client, vip, backend) = ((A::client(), 4000), (A::vip(), 80), (A::host(1, 3), 8080));
        let (outside, external) = ((A::outside(), 4000), (A::external(), 80));
        let inside = (A::outside(), NAT_PORTS[0]);
        for delivery in [Delivery::Bypass, Delivery::Stack] {
            let world = World::<A>::new(backend.0, delivery);
            let sent = |piece: &Packet<A>| world.sends(piece, &ONE);
            let arrived = |piece: &Packet<A>| world.comes(piece, Ingress::Netdev, UPLINK, &ONE);
            let handed = |piece: &Packet<A>| world.goes(piece, false, &ONE);
            let dropped = Outcome::Drop(DropReason::FragmentToFrontend);
            let request = pieces(client, vip);
            assert_eq!(sent(&request[1]), dropped, "before its first");
            both("a request", sent, request);
            let stranger = world.sends(&request[1], &OTHER);
            assert_eq!(stranger, dropped, "of another datagram");
            both("one from outside", arrived, pieces(outside, external));
            let beyond = pieces(backend, (A::node(), NAT_PORTS[0]));
            both("an answer to outside", sent, beyond);
            let answer = pieces(backend, client);
            match delivery {
                Delivery::Bypass => both("an answer", sent, answer),
                Delivery::Stack => {
                    both("an answer", handed, answer);
                    both("one for outside", handed, pieces(inside, backend));
                }
            }
        }
    }

    #[test]
    fn later_fragments_meet_what_their_first_met() {
        walk::<[u8; 4]>();
        walk::<[u8; 16]>();
    }

    #[test]
    fn a_datagram_takes_one_way_and_is_forgotten_when_nobody_waits_for_it() {
        let mut world = World::<[u8; 4]>::new(Host::host(1, 3), Delivery::Bypass);
        let [first, later] = pieces((Host::client(), 4000), (Host::vip(), 80))
            .map(|piece| Packet { may_fragment: true, ..piece });
        let sent = |world: &World<_>, piece| world.sends(piece, &ONE);
        world.segment = 1401;
        let by_stack = sent(&world, &first);
        assert!(matches!(by_stack, Outcome::Stack(_)), "{by_stack:?}");
        world.segment = 100;
        assert_eq!(sent(&world, &later), by_stack);
        let whole = world.sent(&packet((Host::client(), 4000), (Host::vip(), 80), UDP));
        assert!(matches!(whole, Outcome::Peer { .. }), "{whole:?}");
        world.now += PATIENCE + 1;
        assert_eq!(sent(&world, &later), Outcome::Drop(DropReason::FragmentToFrontend));
    }

    #[test]
    fn whole_packets_do_not_ask_for_fragments() {
        let world = World::<[u8; 4]>::new(Host::host(1, 3), Delivery::Bypass);
        world.sent(&packet((Host::client(), 4000), (Host::vip(), 80), UDP));
        assert!(!world.tables.reads.lock().unwrap().contains(&"fragments"));
        assert_eq!(world.tables.fragments.lock().unwrap().len(), 0);
    }
}
