//! A pod sends from addresses of its own: by any other it would be whoever it likes.
//!
//! What a link has proven once is remembered, so that all but its first packet cost one look into an
//! array. What has no address yet, or asks who is on the link, passes (RFC 4861, RFC 3810, RFC 5227).

use super::Tables;
use crate::abi::{Address, DropReason};
use crate::packet::{Bytes, IpAddress, Packet, Transport, arp_sender};

/// Whether a packet of a pod's link is none of its pod's.
// Not inlined: its stack is needed by what follows it.
#[inline(never)]
pub(super) fn is_forged<A: IpAddress>(
    packet: &Packet<A>,
    ifindex: u32,
    tables: &impl Tables<A>,
) -> bool {
    !stays_on_link(packet) && is_strangers(packet.key.src, ifindex, tables)
}

/// Why a frame of a pod's link must not pass that is not IP: ARP (RFC 826) in the name of another.
/// Who has no address yet asks whether anybody has it (RFC 5227).
#[inline(always)]
pub fn refuse_frame<B: Bytes + ?Sized>(
    frame: &B,
    ifindex: u32,
    tables: &impl Tables<[u8; 4]>,
) -> Option<DropReason> {
    match arp_sender(frame) {
        Ok(Some(sender)) if sender != <[u8; 4]>::ANY => refuse(sender, ifindex, tables),
        _ => None,
    }
}

/// Why a packet of a pod's link must not pass of which nothing can be read behind its IP header.
#[inline(always)]
pub fn refuse_unread<A: IpAddress, B: Bytes + ?Sized>(
    bytes: &B,
    l3: u32,
    ifindex: u32,
    tables: &impl Tables<A>,
) -> Option<DropReason> {
    let header = A::header(bytes, l3).ok()?;
    refuse(header.src, ifindex, tables)
}

#[inline(always)]
fn refuse<A: Address>(src: A, ifindex: u32, tables: &impl Tables<A>) -> Option<DropReason> {
    is_strangers(src, ifindex, tables).then_some(DropReason::ForgedSource)
}

#[inline(always)]
fn stays_on_link<A: IpAddress>(packet: &Packet<A>) -> bool {
    let Transport::Icmp { kind, .. } = packet.transport else {
        return false;
    };
    A::is_of_link(packet.key.src, packet.key.dst) && A::icmp_serves_link(kind)
}

#[inline(always)]
fn is_strangers<A: Address>(src: A, ifindex: u32, tables: &impl Tables<A>) -> bool {
    if tables.has_proven(ifindex, src) {
        return false;
    }
    if tables.pod(src).is_some_and(|pod| pod.ifindex == ifindex) {
        tables.note_proven(ifindex, src);
        return false;
    }
    !tables.is_unguarded(ifindex)
}

#[cfg(test)]
mod tests {
    use super::super::Ingress;
    use super::super::outcome::Outcome;
    use super::super::world::{ACK, Host, SYN, UDP, World, packet};
    use super::*;
    use crate::abi::{Delivery, DropReason, FlowKey, Port};

    const LINK: u32 = 12;
    const FORGED: DropReason = DropReason::ForgedSource;

    fn world<A: Host>() -> World<A> {
        World::new(A::host(A::NODE, 3), Delivery::Bypass)
    }

    fn is_dropped<A: Host>(world: &World<A>, packet: &Packet<A>, by: Ingress, link: u32) -> bool {
        world.comes(packet, by, link, &[]) == Outcome::Drop(FORGED)
    }

    fn sources_are_judged<A: Host>() {
        let (other, stranger) = (A::host(A::NODE, 3), A::outside());
        for transport in [SYN, ACK, UDP, Transport::Other, Transport::LaterFragment] {
            for (name, src, by, link, expected) in [
                ("its own", A::client(), Ingress::Pod, LINK, false),
                ("another pod's", other, Ingress::Pod, LINK, true),
                ("that pod's, by its own link", other, Ingress::Pod, 13, false),
                ("nobody's", stranger, Ingress::Pod, LINK, true),
                ("the node's", A::node(), Ingress::Pod, LINK, true),
                ("none", A::ANY, Ingress::Pod, LINK, true),
                ("a stranger's, by an uplink", stranger, Ingress::Netdev, LINK, false),
            ] {
                let packet = packet((src, 4000), (A::outside(), 53), transport);
                let dropped = is_dropped(&world(), &packet, by, link);
                assert_eq!(dropped, expected, "{name}: {transport:?}");
            }
        }
    }

    #[test]
    fn pods_send_from_addresses_of_their_own() {
        sources_are_judged::<[u8; 4]>();
        sources_are_judged::<[u8; 16]>();
    }

    /// A flow that lives is no reason to believe who says that it is his.
    #[test]
    fn nobody_speaks_in_a_flow_of_another_pod() {
        let world = world::<[u8; 4]>();
        let theirs = packet((Host::client(), 4000), (Host::vip(), 80), SYN);
        assert_ne!(world.sent(&theirs), Outcome::Drop(FORGED));
        assert!(is_dropped(&world, &theirs, Ingress::Pod, 13));
    }

    #[test]
    fn what_was_proven_is_not_asked_for_again() {
        let world = world::<[u8; 4]>();
        let packet = packet((Host::client(), 4000), (Host::outside(), 53), ACK);
        let asked = || {
            world.tables.reads.lock().unwrap().clear();
            assert!(!is_dropped(&world, &packet, Ingress::Pod, LINK));
            world.tables.reads.lock().unwrap().iter().filter(|map| **map == "pods").count()
        };
        let first = asked();
        assert_eq!(asked(), first - 1);
    }

    #[test]
    fn a_pod_whose_guard_is_off_sends_from_anywhere() {
        let world = world::<[u8; 16]>();
        world.tables.unguarded.lock().unwrap().insert(LINK);
        let packet = packet((Host::outside(), 4000), (Host::host(203, 1), 53), UDP);
        assert!(!is_dropped(&world, &packet, Ingress::Pod, LINK));
        assert!(is_dropped(&world, &packet, Ingress::Pod, 13));
    }

    #[test]
    fn what_asks_who_is_on_the_link_passes() {
        const LOCAL: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
        const ROUTERS: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
        const SITE: [u8; 16] = [0xff, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
        const NONE: [u8; 16] = [0; 16];
        let icmp = |kind| Transport::Icmp { kind, code: 0 };
        for (name, src, dst, transport, expected) in [
            ("is this address anybody's", NONE, ROUTERS, icmp(135), false),
            ("who has this address", LOCAL, LOCAL, icmp(135), false),
            ("I have it", LOCAL, ROUTERS, icmp(136), false),
            ("who routes", NONE, ROUTERS, icmp(133), false),
            ("I listen to these groups", NONE, ROUTERS, icmp(143), false),
            ("the same of old", LOCAL, ROUTERS, icmp(131), false),
            ("are you there", LOCAL, LOCAL, icmp(128), false),
            ("I route", LOCAL, ROUTERS, icmp(134), true),
            ("go there instead", LOCAL, LOCAL, icmp(137), true),
            ("far away", LOCAL, Host::outside(), icmp(135), true),
            ("to a group beyond the link", LOCAL, SITE, icmp(143), true),
            ("no ICMP", LOCAL, LOCAL, UDP, true),
        ] {
            let mut packet = packet((src, 0), (dst, 0), transport);
            packet.key = FlowKey { sport: Port::new(0), dport: Port::new(0), ..packet.key };
            assert_eq!(is_dropped(&world(), &packet, Ingress::Pod, LINK), expected, "{name}");
        }
    }

    /// Frames whose sender is an address: of ARP, and of IPv4 with a header of TCP that is none.
    fn frames(sender: [u8; 4]) -> [Vec<u8>; 2] {
        let arp = [&[8, 6, 0, 1, 8, 0, 6, 4, 0, 1], &[2; 6][..], &sender, &[0; 10]].concat();
        let mut ip = [&[8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0][..], &sender].concat();
        ip.extend([[10, 203, 0, 9], [0; 4], [0; 4], [0; 4], [0; 4], [0; 4]].concat());
        [arp, ip].map(|frame| [&[2; 12][..], &frame].concat())
    }

    #[test]
    fn what_cannot_be_read_and_arp_go_by_their_sender_alone() {
        let world = world::<[u8; 4]>();
        let judged = [Host::client(), Host::outside(), <[u8; 4]>::ANY].map(|sender| {
            let [arp, ip] = frames(sender);
            let unread = refuse_unread::<[u8; 4], _>(&ip[..], 14, LINK, &world.tables);
            (refuse_frame(&arp[..], LINK, &world.tables), unread)
        });
        let [none, forged] = [None, Some(FORGED)];
        assert_eq!(judged, [(none, none), (forged, forged), (none, forged)]);
        let [_, ip] = frames(Host::outside());
        assert_eq!(refuse_frame(&ip[..], LINK, &world.tables), None, "no ARP");
        let cut = refuse_unread::<[u8; 4], _>(&ip[..20], 14, LINK, &world.tables);
        assert_eq!(cut, None, "no header");
    }
}
