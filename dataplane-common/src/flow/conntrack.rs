//! Entries of flows that exist: whether they still hold, and what packets change in them.

use super::source::masquerade;
use super::{Arrival, Env, Ingress, Inserted, ServiceTables, Tables, Work, host_port};
use crate::abi::{Address, BackendId, BackendState, FlowEntry, FlowFlags, Proto, ServiceId, life};
use crate::packet::{Packet, TcpFlags, Transport};

/// Finds the entry of the key at hand, and notes the packet in it.
///
/// False where there is no entry, and where its flow has ended; then its entries are gone too.
#[inline(always)]
pub(super) fn find<A: Address>(
    packet: &Packet<A>,
    tables: &impl Tables<A>,
    env: &impl Env,
    work: &mut Work<A>,
) -> bool {
    match tables.flow(&work.key) {
        Some(entry) => {
            work.entry = entry;
            hold(packet, tables, env, work)
        }
        None => false,
    }
}

/// Notes a packet in the entry at hand. False where the flow has ended; then its entries are gone.
// Not inlined: its stack is needed by what follows it.
#[inline(never)]
pub(super) fn hold<A: Address>(
    packet: &Packet<A>,
    tables: &impl Tables<A>,
    env: &impl Env,
    work: &mut Work<A>,
) -> bool {
    let now = env.now();
    let FlowEntry { flags, last_seen, .. } = work.entry;
    if is_expired(&work.entry, work.key.proto, now, tables)
        || is_to_be_chosen_again(packet, tables, work)
    {
        work.judge();
        end(tables, work);
        return false;
    }
    work.entry.flags = flags.union(noted(packet, flags));
    work.entry.last_seen = now;
    if work.entry.flags != flags || now != last_seen {
        match touch(tables, work) {
            Sibling::Kept => {}
            Sibling::Lost => mend(tables, work),
            Sibling::Stolen => {
                work.judge();
                end(tables, work);
            }
        }
    }
    true
}

/// Whether a flow has been silent too long.
#[inline(always)]
pub(super) fn is_expired<A>(
    entry: &FlowEntry<A>,
    proto: Proto,
    now: u32,
    tables: &impl ServiceTables,
) -> bool {
    let silent = now.saturating_sub(entry.last_seen);
    // So a busy flow asks once a second.
    if silent == 0 {
        return false;
    }
    let seconds = tables.timeout(life(entry.flags, proto));
    seconds != 0 && silent > seconds
}

/// Whether what a client sends must go to another backend than its flow's.
#[inline(always)]
fn is_to_be_chosen_again<A: Address>(
    packet: &Packet<A>,
    tables: &impl Tables<A>,
    work: &mut Work<A>,
) -> bool {
    let Work { entry, is_left, .. } = work;
    *is_left = false;
    if entry.flags.has(FlowFlags::REVERSE) {
        return false;
    }
    let opens = match packet.transport {
        Transport::Tcp(flags) | Transport::Sctp(flags) => flags.opens(),
        Transport::Udp { .. } => false,
        Transport::Icmp { .. } | Transport::LaterFragment | Transport::Other => return false,
    };
    if opens && is_closed(entry.flags) {
        return true;
    }
    let may_move = opens || packet.key.proto == Proto::UDP;
    let state = state(entry, may_move, tables);
    *is_left = state != BackendState::Active;
    match state {
        BackendState::Terminating if opens => true,
        // A dead backend's connection keeps its entry, so that the peer's RST can pass.
        BackendState::Dead => may_move,
        BackendState::Active | BackendState::Terminating => may_move && is_astray(entry, tables),
    }
}

/// Whether a flow has an address of the node that masquerades no longer.
#[inline(always)]
fn is_astray<A: Address>(entry: &FlowEntry<A>, tables: &impl Tables<A>) -> bool {
    entry.flags.has(FlowFlags::MASQUERADED)
        && tables
            .node()
            .is_none_or(|node| ![A::masquerade(&node), A::tunnel(&node)].contains(&entry.src))
}

/// Notes in the entry at hand that its flow was ended by force.
#[inline(always)]
pub(super) fn close<A: Address>(tables: &impl Tables<A>, work: &mut Work<A>) {
    work.entry.flags = work.entry.flags.union(FlowFlags::RST);
    tables.update_flow(&work.key, &work.entry);
}

/// Whether both directions have ended, or one by force.
#[inline(always)]
pub(super) fn is_closed(flags: FlowFlags) -> bool {
    flags.has(FlowFlags::RST) || flags.has(FlowFlags::FIN.union(FlowFlags::PEER_FIN))
}

/// Whether a flow needs its tuple no longer.
#[inline(always)]
pub(super) fn is_over<A>(
    entry: &FlowEntry<A>,
    proto: Proto,
    now: u32,
    tables: &impl ServiceTables,
) -> bool {
    is_closed(entry.flags) || is_expired(entry, proto, now, tables)
}

/// What the flow's backend is, by its identity and generation. Who is addressed directly is always
/// there, and so is the pod of a host port for who may not go to another one.
#[inline(always)]
fn state<A: Address>(
    entry: &FlowEntry<A>,
    may_move: bool,
    tables: &impl Tables<A>,
) -> BackendState {
    if entry.backend == BackendId::NONE {
        let is_dead = may_move
            && entry.service == ServiceId::HOST_PORT
            && !host_port::is_behind(entry.generation, entry.dst, tables);
        return if is_dead { BackendState::Dead } else { BackendState::Active };
    }
    match tables.backend(entry.backend) {
        Some(backend) if backend.generation == entry.generation => {
            BackendState::from_number(backend.state)
        }
        Some(_) | None => BackendState::Dead,
    }
}

/// What a packet says of its flow. Bits are moved and not decided about: each decision would double
/// what the verifier has to look at.
#[inline(always)]
fn noted<A>(packet: &Packet<A>, flags: FlowFlags) -> FlowFlags {
    let replied = FlowFlags((flags.0 & FlowFlags::REVERSE.0) << TO_REPLIED);
    match packet.transport {
        Transport::Tcp(TcpFlags(tcp)) | Transport::Sctp(TcpFlags(tcp)) => {
            let tcp = u16::from(tcp);
            let ended = FlowFlags((tcp & ENDS) << TO_ENDED);
            let acked = FlowFlags((flags.0 & FlowFlags::PEER_FIN.0 & tcp) << TO_ACKED);
            replied.union(ended).union(acked)
        }
        Transport::Udp { .. }
        | Transport::Icmp { .. }
        | Transport::LaterFragment
        | Transport::Other => replied,
    }
}

/// The flags of a segment that ends a direction or all.
const ENDS: u16 = (TcpFlags::FIN.0 | TcpFlags::RST.0) as u16;
/// How far what is noted lies from where it is found.
const TO_REPLIED: u32 = 2;
const TO_ENDED: u32 = 3;
const TO_ACKED: u32 = 4;

const _: () = assert!(FlowFlags::REVERSE.0 << TO_REPLIED == FlowFlags::REPLIED.0);
const _: () = assert!((TcpFlags::FIN.0 as u16) << TO_ENDED == FlowFlags::FIN.0);
const _: () = assert!((TcpFlags::RST.0 as u16) << TO_ENDED == FlowFlags::RST.0);
const _: () = assert!(TcpFlags::ACK.0 as u16 == FlowFlags::PEER_FIN.0);
const _: () = assert!(FlowFlags::PEER_FIN.0 << TO_ACKED == FlowFlags::FIN_ACKED.0);

/// Takes out the judged flow.
///
/// Another CPU may be doing the same, or may have begun the flow anew: then nothing happens here,
/// and the caller meets what the other made of it. A sibling that is another flow's stays.
// Not inlined: rare, and its stack is needed elsewhere.
#[inline(never)]
pub(super) fn end<A: Address>(tables: &impl Tables<A>, work: &mut Work<A>) {
    let Work { judged_key: key, judged: entry, judged_sibling: sibling, guard, .. } = work;
    *sibling = entry.sibling(key.proto);
    let is_reverse = entry.flags.has(FlowFlags::REVERSE);
    *guard = if is_reverse { sibling.guard() } else { key.guard() };
    if tables.insert_flow(guard, entry) != Inserted::Yes {
        return;
    }
    if tables.update_flow(key, entry) {
        if tables.flow(sibling).is_some_and(|other| other.sibling(key.proto) == *key) {
            tables.remove_flow(sibling);
        }
        tables.remove_flow(key);
    }
    tables.remove_flow(guard);
}

/// Puts back the sibling that the LRU took, unless the flow is being ended at this moment.
// Not inlined: rare, and its stack is needed elsewhere.
#[inline(never)]
fn mend<A: Address>(tables: &impl Tables<A>, work: &mut Work<A>) {
    let Work { key, entry, sibling_key, sibling, guard, .. } = work;
    let is_reverse = entry.flags.has(FlowFlags::REVERSE);
    *guard = if is_reverse { sibling_key.guard() } else { key.guard() };
    if tables.insert_flow(guard, entry) != Inserted::Yes {
        return;
    }
    if tables.update_flow(key, entry) {
        tables.insert_flow(sibling_key, sibling);
    }
    tables.remove_flow(guard);
}

/// Whether a live flow's backend answers by the tuple of a connection that is now opened to that
/// backend itself, or of a datagram to it: its answers would be taken for the flow's. A flow that is
/// over is ended instead. In the stack the same is true of a masqueraded flow of that client, by the
/// port that stands for it.
// Not inlined: rare, and its stack is needed elsewhere.
#[inline(never)]
pub(super) fn is_in_the_way<A: Address>(
    packet: &Packet<A>,
    arrival: &Arrival,
    tables: &impl Tables<A>,
    env: &impl Env,
    work: &mut Work<A>,
) -> bool {
    if !may_meet_another(packet, arrival, tables) {
        return false;
    }
    let is_datagram = matches!(packet.transport, Transport::Udp { .. });
    if is_datagram && matches!(arrival.by, Ingress::Pod) {
        tables.note_datagram(packet.key.src);
    }
    let now = env.now();
    work.judged_key = work.key.turned();
    if stays(now, tables, work) {
        return true;
    }
    match tables.node() {
        Some(node) if node.knows(work.key.sport, work.key.proto) => {
            work.judged_key.dst = masquerade(&node, work.key.dst, tables);
            stays(now, tables, work)
        }
        Some(_) | None => false,
    }
}

/// Whether a packet without flow is one that can meet a flow of its own sender. Each datagram asks,
/// so one that comes in is asked about only where it is for a pod of this node: from elsewhere no flow
/// keeps its client's address that leads to anybody else.
#[inline(always)]
fn may_meet_another<A: Address>(
    packet: &Packet<A>,
    arrival: &Arrival,
    tables: &impl Tables<A>,
) -> bool {
    if matches!(packet.transport, Transport::Udp { .. }) {
        matches!(arrival.by, Ingress::Pod)
            || tables.node().is_some_and(|node| packet.key.dst.is_of_pods(&node))
    } else {
        packet.transport.opens()
    }
}

/// Whether there is a live flow whose answers to the sender at hand have the judged key.
// Not inlined: asked for twice.
#[inline(never)]
fn stays<A: Address>(now: u32, tables: &impl Tables<A>, work: &mut Work<A>) -> bool {
    let Some(entry) = tables.flow(&work.judged_key) else {
        return false;
    };
    if !entry.flags.has(FlowFlags::REVERSE) || entry.dst != work.key.src {
        return false;
    }
    let is_over = is_over(&entry, work.key.proto, now, tables);
    if is_over {
        work.judged = entry;
        end(tables, work);
    }
    !is_over
}

/// What became of the other half of a flow.
enum Sibling {
    /// It is there.
    Kept,
    /// The LRU took it.
    Lost,
    /// Another flow has taken its tuple since.
    Stolen,
}

/// Writes an entry and brings its sibling along, so that a flow with traffic in one direction only
/// keeps both.
// Not inlined: once a second for each flow, and its stack is needed elsewhere.
#[inline(never)]
fn touch<A: Address>(tables: &impl Tables<A>, work: &mut Work<A>) -> Sibling {
    if !tables.update_flow(&work.key, &work.entry) {
        return Sibling::Kept;
    }
    work.derive_sibling();
    match tables.flow(&work.sibling_key) {
        Some(there) if there.sibling(work.key.proto) == work.key => {
            let flags = there.flags.union(work.sibling.flags);
            work.sibling = FlowEntry { flags, last_seen: work.entry.last_seen, ..there };
            tables.update_flow(&work.sibling_key, &work.sibling);
            Sibling::Kept
        }
        Some(_) => Sibling::Stolen,
        None => Sibling::Lost,
    }
}
