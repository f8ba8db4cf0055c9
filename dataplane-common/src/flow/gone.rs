//! Connections to pods of this node that are no more: who is still in one is told at once.

use super::{Arrival, Ingress, Route, Tables, Work, conntrack, select::is_of_own_pods};
use crate::abi::{Address, FlowFlags, FlowKey, LinkFlags};
use crate::packet::{Packet, TcpFlags, Transport, may_reset};

/// Whether the flow at hand is a connection to a pod of this node that is no more. Then it is over.
// Not inlined: rare, and its stack is needed elsewhere.
#[inline(never)]
pub(super) fn is_to_nobody<A: Address>(
    packet: &Packet<A>,
    tables: &impl Tables<A>,
    work: &mut Work<A>,
) -> bool {
    let other = FlowFlags::REVERSE.0 | FlowFlags::REMOTE.0;
    if work.entry.flags.0 & other != 0 || !is_answerable(packet.transport) {
        return false;
    }
    work.exit.rewrite.to = work.entry.translated(work.key.proto);
    let is_gone = is_nowhere(&work.exit.rewrite.to, tables);
    if is_gone {
        conntrack::close(tables, work);
    }
    is_gone
}

/// Whether what comes in from elsewhere is of a connection to a pod of this node that is no more.
// Not inlined: as above.
#[inline(never)]
pub(super) fn has_lost_its_pod<A: Address>(
    packet: &Packet<A>,
    arrival: &Arrival,
    tables: &impl Tables<A>,
    work: &Work<A>,
) -> bool {
    let is_acknowledging =
        matches!(packet.transport, Transport::Tcp(flags) if flags.has(TcpFlags::ACK));
    matches!(arrival.by, Ingress::Netdev)
        && is_acknowledging
        && is_answerable(packet.transport)
        && is_uplink(arrival.ifindex, tables)
        && is_of_own_pods(work.key.dst, tables)
        && is_nowhere(&work.key, tables)
}

/// Whether a segment is in the middle of a connection, and not its end by force.
#[inline(always)]
const fn is_answerable(transport: Transport) -> bool {
    transport.continues() && may_reset(transport)
}

/// Whether an address that is none but a pod's of this node is nobody's: there is no way to it but
/// out of the node. A pod may be there and have no entry.
#[inline(always)]
fn is_nowhere<A: Address>(key: &FlowKey<A>, tables: &impl Tables<A>) -> bool {
    if tables.pod(key.dst).is_some() {
        return false;
    }
    match tables.route(key) {
        Route::Stack => true,
        Route::Via { ifindex, .. } => is_uplink(ifindex, tables),
    }
}

#[inline(always)]
fn is_uplink<A: Address>(ifindex: u32, tables: &impl Tables<A>) -> bool {
    tables.link(ifindex).is_some_and(|link| !link.flags.has(LinkFlags::WORKLOADS))
}
