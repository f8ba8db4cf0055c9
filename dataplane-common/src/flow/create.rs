//! How a flow comes to be, while other CPUs have packets of the same flow.
//!
//! 1. The reverse entry goes in with NOEXIST: that claims the tuple the backend will answer.
//! 2. The forward entry goes in with NOEXIST: that decides which packet's choice holds.
//!
//! Who loses at 2 takes its own reverse entry out again, unless the winner's flow answers by it,
//! and follows the winner. Who loses at 1 to the same flow completes that flow; who loses to
//! another flow tries another source port.

use super::conntrack::{end, is_expired};
use super::select::scale;
use super::{Choice, Env, FlowTable, Inserted, Tables, Work};
use crate::abi::{
    Address, Counter, Delivery, DropReason, FlowEntry, FlowFlags, FlowKey, Pod, PodFlags, Port,
};

/// Source ports for flows whose own is taken: above Linux's default `ip_local_port_range`, so that
/// no socket of the client gets them.
const FIRST_PORT: u16 = 61_000;
const PORTS: u32 = 4_536;
/// How many times a flow is tried to be made.
const TRIES: u32 = 5;

/// What came of trying one source port.
enum Claim {
    /// The flow exists, by this packet or another.
    Settled,
    /// Another flow's answers would look the same.
    Taken,
    /// What it was tried against is gone.
    Again,
    /// By a flow that is over, and judged.
    Expired,
    /// The table refuses.
    Full,
}

/// Makes the flow of a packet, or finds it made by another CPU meanwhile.
#[inline(always)]
pub(super) fn create<A: Address>(
    delivery: Delivery,
    tables: &impl Tables<A>,
    env: &impl Env,
    work: &mut Work<A>,
) -> Result<(), DropReason> {
    let now = env.now();
    work.entry = forward_entry(&work.key, &work.choice, delivery, tables, now);
    for attempt in 0..TRIES {
        match claim(tables, now, work) {
            Claim::Settled => return Ok(()),
            Claim::Full => return Err(DropReason::FlowTableFull),
            Claim::Again => {}
            Claim::Expired if attempt == 0 => end(tables, work),
            Claim::Expired | Claim::Taken => work.entry.sport = other_port(env.random()),
        }
    }
    Err(DropReason::NoSourcePort)
}

#[inline(always)]
fn forward_entry<A: Address>(
    key: &FlowKey<A>,
    choice: &Choice,
    delivery: Delivery,
    tables: &impl Tables<A>,
    now: u32,
) -> FlowEntry<A> {
    let Choice { service, slot, .. } = choice;
    let dst = A::narrow(slot.addr);
    let backend = tables.pod(dst);
    // Both directions or none: netfilter takes half a flow for an invalid one.
    let bypass = match (delivery, tables.pod(key.src)) {
        (Delivery::Bypass, Some(client)) => takes_peers(client) && backend.is_none_or(takes_peers),
        (Delivery::Bypass, None) | (Delivery::Stack, _) => false,
    };
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

#[inline(always)]
fn takes_peers(pod: Pod) -> bool {
    !pod.flags.has(PodFlags::NO_PEER)
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "below PORTS")]
fn other_port(random: u32) -> Port {
    Port::new(FIRST_PORT.wrapping_add(scale(random, PORTS) as u16))
}

/// Tries the source port that stands in the entry at hand. Settled, that entry is the flow's.
// Not inlined: the loop around it would be unrolled.
#[inline(never)]
fn claim<A: Address>(tables: &impl Tables<A>, now: u32, work: &mut Work<A>) -> Claim {
    work.derive_sibling();
    match tables.insert_flow(&work.sibling_key, &work.sibling) {
        Inserted::Yes => decide(tables, work),
        Inserted::Full => Claim::Full,
        Inserted::Exists => match tables.flow(&work.sibling_key) {
            Some(there) if there.sibling(work.key.proto) == work.key => decide(tables, work),
            Some(there) if is_expired(&there, work.key.proto, now) => {
                (work.judged_key, work.judged) = (work.sibling_key, there);
                Claim::Expired
            }
            Some(_) => Claim::Taken,
            None => Claim::Again,
        },
    }
}

/// The second step; the reverse entry is in and of this flow.
#[inline(always)]
fn decide<A: Address>(tables: &impl Tables<A>, work: &mut Work<A>) -> Claim {
    match tables.insert_flow(&work.key, &work.entry) {
        Inserted::Yes => {
            tables.count(Counter::NewFlow);
            Claim::Settled
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
            Claim::Settled
        }
        None => {
            tables.remove_flow(&work.sibling_key);
            Claim::Again
        }
    }
}
