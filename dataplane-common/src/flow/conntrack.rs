//! Entries of flows that exist: whether they still hold, and what packets change in them.

use super::{Env, Tables, Work};
use crate::abi::{Address, BackendState, FlowEntry, FlowFlags, Proto};
use crate::packet::{Packet, TcpFlags, Transport};

/// Finds the entry a packet belongs to, and notes the packet in it.
///
/// False where there is no entry, and where its flow has ended; then its entries are gone too.
// Not inlined: its stack is needed by what follows it.
#[inline(never)]
pub(super) fn find<A: Address>(
    packet: &Packet<A>,
    tables: &impl Tables<A>,
    env: &impl Env,
    work: &mut Work<A>,
) -> bool {
    work.entry = match tables.flow(&work.key) {
        Some(entry) => entry,
        None => return false,
    };
    let now = env.now();
    let FlowEntry { flags, last_seen, .. } = work.entry;
    if is_expired(&work.entry, work.key.proto, now)
        || is_to_be_chosen_again(&work.entry, packet, tables)
    {
        tables.remove_flow(&work.key);
        work.derive_sibling();
        tables.remove_flow(&work.sibling_key);
        return false;
    }
    work.entry.flags = flags.union(noted(packet, flags));
    work.entry.last_seen = now;
    if work.entry.flags != flags || now != last_seen {
        touch(tables, work);
    }
    true
}

/// Whether a flow has been silent too long. Seconds as Linux conntrack's defaults, but for
/// established TCP, where a backend's death is learned from its state instead.
#[inline(always)]
pub(super) fn is_expired<A>(entry: &FlowEntry<A>, proto: Proto, now: u32) -> bool {
    now.wrapping_sub(entry.last_seen) > timeout(entry.flags, proto)
}

#[inline(always)]
const fn timeout(flags: FlowFlags, proto: Proto) -> u32 {
    let replied = flags.has(FlowFlags::REPLIED);
    if proto.0 != Proto::TCP.0 {
        return if replied { 120 } else { 30 };
    }
    if flags.has(FlowFlags::RST) {
        10
    } else if flags.has(FlowFlags::FIN) || flags.has(FlowFlags::PEER_FIN) {
        120
    } else if replied {
        6 * 3600
    } else {
        60
    }
}

/// Whether what a client sends must go to another backend than its flow's.
#[inline(always)]
fn is_to_be_chosen_again<A: Address>(
    entry: &FlowEntry<A>,
    packet: &Packet<A>,
    tables: &impl Tables<A>,
) -> bool {
    if entry.flags.has(FlowFlags::REVERSE) {
        return false;
    }
    let opens = match packet.transport {
        Transport::Tcp(flags) => flags.opens(),
        Transport::Udp { .. } => false,
        Transport::Icmp { .. } | Transport::LaterFragment | Transport::Other => return false,
    };
    let closed = entry.flags.has(FlowFlags::RST)
        || entry.flags.has(FlowFlags::FIN.union(FlowFlags::PEER_FIN));
    if opens && closed {
        return true;
    }
    match state(entry, tables) {
        BackendState::Active => false,
        BackendState::Terminating => opens,
        // A dead backend's TCP flow keeps its entry, so that the peer's RST can pass.
        BackendState::Dead => opens || packet.key.proto == Proto::UDP,
    }
}

/// What the flow's backend is, by its identity and generation.
#[inline(always)]
fn state<A: Address>(entry: &FlowEntry<A>, tables: &impl Tables<A>) -> BackendState {
    match tables.backend(entry.backend) {
        Some(backend) if backend.generation == entry.generation => {
            BackendState::from_number(backend.state)
        }
        Some(_) | None => BackendState::Dead,
    }
}

/// What a packet says of its flow.
#[inline(always)]
fn noted<A>(packet: &Packet<A>, flags: FlowFlags) -> FlowFlags {
    let replied = FlowFlags::when(flags.has(FlowFlags::REVERSE), FlowFlags::REPLIED);
    match packet.transport {
        Transport::Tcp(tcp) => replied
            .union(FlowFlags::when(tcp.has(TcpFlags::FIN), FlowFlags::FIN))
            .union(FlowFlags::when(tcp.has(TcpFlags::RST), FlowFlags::RST)),
        Transport::Udp { .. }
        | Transport::Icmp { .. }
        | Transport::LaterFragment
        | Transport::Other => replied,
    }
}

/// Writes an entry and brings its sibling along, so that a flow with traffic in one direction only
/// keeps both, and a half that the LRU took comes back.
// Not inlined: once a second for each flow, and its stack is needed elsewhere.
#[inline(never)]
fn touch<A: Address>(tables: &impl Tables<A>, work: &mut Work<A>) {
    tables.update_flow(&work.key, &work.entry);
    work.derive_sibling();
    match tables.flow(&work.sibling_key) {
        Some(there) if there.sibling(work.key.proto) == work.key => {
            let flags = there.flags.union(work.sibling.flags);
            work.sibling = FlowEntry { flags, last_seen: work.entry.last_seen, ..there };
            tables.update_flow(&work.sibling_key, &work.sibling);
        }
        // Another flow's: it has taken the tuple while ours had lost it.
        Some(_) => tables.remove_flow(&work.key),
        None => {
            tables.insert_flow(&work.sibling_key, &work.sibling);
        }
    }
}
