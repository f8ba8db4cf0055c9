//! Datagrams in fragments: the first has the ports, the others are told by what they share with it.
//!
//! In order alone: a fragment that overtakes the first belongs to nobody known. Only fragments ask
//! or write the table.

use super::{Env, ServiceTables, Verdict, Work};
use crate::abi::{Address, FragmentKey, Fragmented};
use crate::packet::Packet;

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
pub(super) fn complete<A: Address>(
    packet: &mut Packet<A>,
    hook: Hook,
    tables: &impl ServiceTables,
    env: &impl Env,
    work: &mut Work<A>,
) -> bool {
    let Some(first) = tables.fragment(&key(packet, hook)) else {
        return false;
    };
    (packet.key.sport, packet.key.dport) = (first.sport, first.dport);
    work.by_stack = first.by_stack != 0;
    env.now().saturating_sub(first.seen) <= PATIENCE
}

/// Writes down the first fragment of a datagram that is ours.
// Not inlined: as above.
#[inline(never)]
pub(super) fn note<A: Address>(
    packet: &Packet<A>,
    hook: Hook,
    verdict: Verdict,
    tables: &impl ServiceTables,
    env: &impl Env,
) {
    let by_stack = u32::from(matches!(verdict, Verdict::Stack | Verdict::Pass));
    let (sport, dport) = (packet.key.sport, packet.key.dport);
    let first = Fragmented { sport, dport, seen: env.now(), by_stack };
    tables.note_fragment(&key(packet, hook), &first);
}

#[inline(always)]
fn key<A: Address>(packet: &Packet<A>, hook: Hook) -> FragmentKey {
    FragmentKey {
        src: packet.key.src.widen(),
        dst: packet.key.dst.widen(),
        id: packet.fragment.id,
        proto: packet.key.proto,
        hook: match hook {
            Hook::First => 0,
            Hook::Last => 1,
        },
        reserved: [0; 2],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{Delivery, DropReason, Port, Proto};
    use crate::flow::outcome::Outcome;
    use crate::flow::world::{Host, NAT_PORTS, UDP, World, packet};
    use crate::packet::{Fragment, Transport};

    /// The first and a later fragment of a datagram.
    fn pieces<A: Host>(src: (A, u16), dst: (A, u16), id: u8) -> [Packet<A>; 2] {
        let id = [0, 0, 0, id];
        let whole = packet(src, dst, UDP);
        let mut later = Packet {
            transport: Transport::LaterFragment,
            fragment: Fragment { id, is_first: false },
            ..whole
        };
        (later.key.sport, later.key.dport) = (Port::new(0), Port::new(0));
        assert_eq!(later.key.proto, Proto::UDP);
        [Packet { fragment: Fragment { id, is_first: true }, ..whole }, later]
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
            let dropped = Outcome::Drop(DropReason::FragmentToFrontend);
            assert_eq!(world.sent(&pieces(client, vip, 1)[1]), dropped, "before its first");
            both("a request", |piece| world.sent(piece), pieces(client, vip, 1));
            assert_eq!(world.sent(&pieces(client, vip, 2)[1]), dropped, "of another datagram");
            both("one from outside", |piece| world.arrived(piece), pieces(outside, external, 1));
            let (answer, beyond) =
                (pieces(backend, client, 1), pieces(backend, (A::node(), NAT_PORTS[0]), 1));
            both("an answer to outside", |piece| world.sent(piece), beyond);
            match delivery {
                Delivery::Bypass => both("an answer", |piece| world.sent(piece), answer),
                Delivery::Stack => {
                    both("an answer", |piece| world.handed(piece), answer);
                    let onwards = pieces(inside, backend, 2);
                    both("one for outside", |piece| world.handed(piece), onwards);
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
        let [first, later] = pieces((Host::client(), 4000), (Host::vip(), 80), 1)
            .map(|piece| Packet { may_fragment: true, ..piece });
        world.segment = 1401;
        let by_stack = world.sent(&first);
        assert!(matches!(by_stack, Outcome::Stack(_)), "{by_stack:?}");
        world.segment = 100;
        assert_eq!(world.sent(&later), by_stack);
        assert!(matches!(
            world.sent(&packet((Host::client(), 4000), (Host::vip(), 80), UDP)),
            Outcome::Peer { .. }
        ));
        world.now += PATIENCE + 1;
        assert_eq!(world.sent(&later), Outcome::Drop(DropReason::FragmentToFrontend));
    }

    #[test]
    fn whole_packets_do_not_ask_for_fragments() {
        let world = World::<[u8; 4]>::new(Host::host(1, 3), Delivery::Bypass);
        world.sent(&packet((Host::client(), 4000), (Host::vip(), 80), UDP));
        assert!(!world.tables.reads.lock().unwrap().contains(&"fragments"));
        assert_eq!(world.tables.fragments.lock().unwrap().len(), 0);
    }
}
