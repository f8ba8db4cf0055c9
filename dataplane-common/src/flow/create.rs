//! How a flow comes to be, while other CPUs have packets of the same flow.
//!
//! 1. The reverse entry goes in with NOEXIST: that claims the tuple the backend will answer.
//! 2. The forward entry goes in with NOEXIST: that decides which packet's choice holds.
//!
//! Who loses at 2 takes its own reverse entry out again, unless the winner's flow answers by it,
//! and follows the winner. Who loses at 1 to the same flow completes that flow; who loses to
//! another flow tries another source port. What is over is ended first in both cases: a half that
//! the LRU left may be of another backend, by the same address.

use super::affinity::hold;
use super::arrive::takes_peers;
use super::conntrack::{end, is_closed, is_expired};
use super::source::{Ports, masquerade};
use super::{Choice, Env, FlowTable, Inserted, ServiceTables, Tables, Work};
use crate::abi::{
    Address, Counter, Delivery, DropReason, FlowEntry, FlowFlags, FlowKey, NetnsId, Node, Proto,
    SlotFlags, Tries,
};

/// How the client of a flow is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Client {
    /// Whether its answers may be redirected.
    pub(super) takes_bypass: bool,
    /// Whether it is a pod of this node behind a link of ours.
    pub(super) is_pod: bool,
    /// Whether all that it sends passes this node.
    pub(super) is_here: bool,
    /// Where its sockets are.
    pub(super) netns: NetnsId,
}

/// What came of trying one source port.
enum Claim {
    /// The flow exists, by this packet's choice.
    Won,
    /// The flow exists, by another's.
    Lost,
    /// Another flow's answers would look the same.
    Taken,
    /// What it was tried against is gone.
    Again,
    /// By a flow that is over, and judged.
    Over,
    /// The table refuses.
    Full,
}

/// Drafts the flow that was chosen: its forward entry and the source ports it may have.
#[inline(always)]
pub(super) fn draft<A: Address>(
    client: Client,
    delivery: Delivery,
    tables: &impl Tables<A>,
    env: &impl Env,
    work: &mut Work<A>,
) -> Result<(), DropReason> {
    work.is_left = false;
    work.entry = forward_entry(&work.key, &work.choice, client, delivery, tables, env.now());
    work.reverse = FlowFlags::when(!client.is_pod, FlowFlags::REMOTE);
    work.netns = match may_have_a_socket(&work.key, tables) {
        true => client.netns,
        false => NetnsId::default(),
    };
    work.ports = if work.choice.masquerade {
        let node = tables.node().ok_or(DropReason::NoMasqueradeAddress)?;
        hide_client(&node, tables, work)?;
        Ports::of_node(&node, work.key.sport, env.random())
    } else {
        Ports::of_client(work.key.sport, env.random())
    };
    if work.key.proto.keeps_ports() {
        work.ports = Ports::kept(work.key.sport);
    }
    Ok(())
}

/// Whether the client's sockets are asked about its new flow. Who keeps its port has no other to
/// take. To ask for one of UDP costs a tenth of a new flow, and who has sent datagrams to Services
/// alone has none that could be meant.
#[inline(always)]
fn may_have_a_socket<A: Address>(key: &FlowKey<A>, tables: &impl Tables<A>) -> bool {
    match key.proto {
        Proto::UDP => tables.sends_datagrams(key.src),
        proto => !proto.keeps_ports(),
    }
}

/// Puts the node in the client's place.
#[inline(always)]
fn hide_client<A: Address>(
    node: &Node,
    tables: &impl Tables<A>,
    work: &mut Work<A>,
) -> Result<(), DropReason> {
    work.entry.src = masquerade(node, work.entry.dst, tables);
    if work.entry.src == A::ANY {
        return Err(DropReason::NoMasqueradeAddress);
    }
    work.entry.flags = work.entry.flags.union(FlowFlags::MASQUERADED);
    Ok(())
}

/// Makes the drafted flow, or finds it made by another CPU meanwhile. Only the choice that stands
/// holds the client.
#[inline(always)]
pub(super) fn create<A: Address>(
    tables: &impl Tables<A>,
    work: &mut Work<A>,
) -> Result<(), DropReason> {
    if compete(tables, work)? && work.choice.service.affinity_seconds != 0 {
        hold_client(tables, work);
    }
    Ok(())
}

// Not inlined: most Services have no affinity, and its stack is needed elsewhere.
#[inline(never)]
fn hold_client<A: Address>(tables: &impl Tables<A>, work: &Work<A>) {
    hold(work.key.src.widen(), tables, work.entry.last_seen, &work.choice);
}

/// Makes the drafted flow by the first source port that is free; tells whether it did, and not
/// another CPU.
// Not inlined: its stack is needed by what comes before and after it.
#[inline(never)]
fn compete<A: Address>(tables: &impl Tables<A>, work: &mut Work<A>) -> Result<bool, DropReason> {
    for _ in 0..Ports::MOST {
        work.entry.sport = work.ports.port();
        work.derive_sibling();
        let claim = if is_a_sockets(tables, work) { Claim::Taken } else { claim(tables, work) };
        match claim {
            Claim::Won | Claim::Lost => {
                if work.choice.masquerade {
                    tables.count(Counter::Tries(Tries::of(work.ports.tried())));
                }
                return Ok(matches!(claim, Claim::Won));
            }
            Claim::Full => return Err(DropReason::FlowTableFull),
            Claim::Over if work.ports.give_another_chance() => end(tables, work),
            Claim::Over | Claim::Taken if !work.ports.next() => break,
            Claim::Again | Claim::Over | Claim::Taken => {}
        }
    }
    Err(DropReason::NoSourcePort)
}

/// Whether a socket would take what the backend answers by the port at hand: one of the node's, or
/// one of the client's that is connected to the backend itself.
#[inline(always)]
fn is_a_sockets<A: Address>(tables: &impl Tables<A>, work: &mut Work<A>) -> bool {
    if work.ports.is_doubtful() && tables.has_socket(&work.sibling_key) {
        return true;
    }
    work.judged_key = FlowKey { dst: work.key.src, ..work.sibling_key };
    work.netns.is_known() && tables.is_connected(work.netns, &work.judged_key) && {
        work.judged_key = work.judged_key.turned();
        // A connection with a flow of its own is answered by another port.
        tables.flow(&work.judged_key).is_none()
    }
}

#[inline(always)]
fn forward_entry<A: Address>(
    key: &FlowKey<A>,
    choice: &Choice,
    client: Client,
    delivery: Delivery,
    tables: &impl Tables<A>,
    now: u32,
) -> FlowEntry<A> {
    let Choice { service, slot, .. } = choice;
    let dst = A::narrow(slot.addr);
    let backend = tables.pod(dst);
    // Both directions or none: netfilter takes half a flow for an invalid one.
    let bypass = matches!(delivery, Delivery::Bypass)
        && client.takes_bypass
        && backend.map_or(slot.flags.has(SlotFlags::OTHER_NODE), takes_peers);
    FlowEntry {
        src: key.src,
        dst,
        sport: key.sport,
        dport: slot.port,
        backend: slot.backend,
        service: service.id,
        last_seen: now,
        generation: slot.generation,
        flags: FlowFlags::when(bypass, FlowFlags::BYPASS)
            .union(FlowFlags::when(backend.is_none(), FlowFlags::REMOTE)),
    }
}

/// Tries the source port that stands in the entry at hand. Won or lost, that entry is the flow's.
// Not inlined: the loop around it would be unrolled.
#[inline(never)]
fn claim<A: Address>(tables: &impl Tables<A>, work: &mut Work<A>) -> Claim {
    work.sibling.flags = work.sibling.flags.union(work.reverse);
    match tables.insert_flow(&work.sibling_key, &work.sibling) {
        Inserted::Yes => {}
        Inserted::Full => return Claim::Full,
        Inserted::Exists => {
            work.judged_key = work.sibling_key;
            work.judged = match tables.flow(&work.judged_key) {
                Some(there) => there,
                None => return Claim::Again,
            };
            if let Some(claim) = contest(tables, work) {
                return claim;
            }
        }
    }
    decide(tables, work)
}

/// What the flow that has the tuple, and is judged, makes of the claim; nothing where it is this one.
#[inline(always)]
fn contest<A: Address>(tables: &impl ServiceTables, work: &Work<A>) -> Option<Claim> {
    let Work { judged, key, entry, .. } = work;
    let is_own = judged.is_sibling_of(key);
    let is_expired = is_expired(judged, key.proto, entry.last_seen, tables);
    if (is_expired || is_closed(judged.flags)) && (is_own || is_expired || !is_spared(work)) {
        Some(Claim::Over)
    } else if is_own {
        None
    } else {
        Some(Claim::Taken)
    }
}

/// Whether another flow that was closed keeps its port: masqueraded clients know nothing of each
/// other, and the backend may still remember what another has closed. Half of the tries look for a
/// better one.
#[inline(always)]
fn is_spared<A: Address>(Work { judged, choice, ports, .. }: &Work<A>) -> bool {
    choice.masquerade && ports.is_early() && !judged.flags.has(FlowFlags::RST)
}

/// The second step; the reverse entry is in and of this flow.
#[inline(always)]
fn decide<A: Address>(tables: &impl Tables<A>, work: &mut Work<A>) -> Claim {
    match tables.insert_flow(&work.key, &work.entry) {
        Inserted::Yes => {
            tables.count(Counter::NewFlow);
            Claim::Won
        }
        Inserted::Exists => {
            tables.count(Counter::FlowRaceLost);
            follow(tables, work)
        }
        Inserted::Full => {
            tables.remove_flow(&work.sibling_key);
            Claim::Full
        }
    }
}

#[inline(always)]
fn follow<A: Address>(tables: &impl FlowTable<A>, work: &mut Work<A>) -> Claim {
    match tables.flow(&work.key) {
        Some(winner) => {
            if winner.sibling(work.key.proto) != work.sibling_key {
                tables.remove_flow(&work.sibling_key);
            }
            work.entry = winner;
            Claim::Lost
        }
        None => {
            tables.remove_flow(&work.sibling_key);
            Claim::Again
        }
    }
}
