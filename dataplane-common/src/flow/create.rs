//! How a flow comes to be, while other CPUs have packets of the same flow.
//!
//! 1. The reverse entry goes in with NOEXIST: that claims the tuple the backend will answer.
//! 2. The forward entry goes in with NOEXIST: that decides which packet's choice holds.
//!
//! Who loses at 2 takes its own reverse entry out again, unless the winner's flow answers by it,
//! and follows the winner. Who loses at 1 to the same flow completes that flow; who loses to
//! another flow tries another source port.

use super::conntrack::is_expired;
use super::select::scale;
use super::{Env, FlowTable, Inserted, Tables};
use crate::abi::{
    Address, Counter, Delivery, DropReason, FlowEntry, FlowFlags, FlowKey, Port, Service, Slot,
};

/// Source ports for flows whose own is taken: above Linux's default `ip_local_port_range`, so that
/// no socket of the client gets them.
const FIRST_PORT: u16 = 61_000;
const PORTS: u32 = 4_536;
/// How many source ports are tried.
const TRIES: u32 = 4;

/// What came of trying one source port.
enum Claim<A> {
    /// The flow exists, by this packet or another.
    Settled(FlowEntry<A>),
    /// Another flow's answers would look the same.
    Taken,
    /// The table refuses.
    Full,
}

/// Makes the flow of a packet, or finds it made by another CPU meanwhile.
#[inline(always)]
pub(super) fn create<A: Address>(
    key: &FlowKey<A>,
    service: &Service,
    slot: &Slot,
    delivery: Delivery,
    tables: &impl Tables<A>,
    env: &impl Env,
) -> Result<FlowEntry<A>, DropReason> {
    let mut forward = forward_entry(key, service, slot, delivery, tables, env.now());
    for _ in 0..TRIES {
        match claim(key, &forward, tables, env.now()) {
            Claim::Settled(entry) => return Ok(entry),
            Claim::Full => return Err(DropReason::FlowTableFull),
            Claim::Taken => forward.sport = other_port(env.random()),
        }
    }
    Err(DropReason::NoSourcePort)
}

#[inline(always)]
fn forward_entry<A: Address>(
    key: &FlowKey<A>,
    service: &Service,
    slot: &Slot,
    delivery: Delivery,
    tables: &impl Tables<A>,
    now: u32,
) -> FlowEntry<A> {
    let dst = A::narrow(slot.addr);
    let bypass = match delivery {
        Delivery::Bypass => FlowFlags::BYPASS,
        Delivery::Stack => FlowFlags::default(),
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
        flags: bypass.union(FlowFlags::when(tables.pod(dst).is_none(), FlowFlags::REMOTE)),
    }
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "below PORTS")]
fn other_port(random: u32) -> Port {
    Port::new(FIRST_PORT.wrapping_add(scale(random, PORTS) as u16))
}

#[inline(always)]
fn claim<A: Address>(
    key: &FlowKey<A>,
    forward: &FlowEntry<A>,
    tables: &impl Tables<A>,
    now: u32,
) -> Claim<A> {
    let reverse_key = forward.sibling(key.proto);
    let reverse = forward.sibling_entry(key);
    match tables.insert_flow(&reverse_key, &reverse) {
        Inserted::Yes => decide(key, forward, tables),
        Inserted::Full => Claim::Full,
        Inserted::Exists => match tables.flow(&reverse_key) {
            Some(there) if there.sibling(key.proto) == *key => decide(key, forward, tables),
            Some(there) if is_expired(&there, key.proto, now) => {
                tables.remove_flow(&there.sibling(key.proto));
                tables.remove_flow(&reverse_key);
                match tables.insert_flow(&reverse_key, &reverse) {
                    Inserted::Yes => decide(key, forward, tables),
                    Inserted::Exists => Claim::Taken,
                    Inserted::Full => Claim::Full,
                }
            }
            Some(_) | None => Claim::Taken,
        },
    }
}

/// The second step; the reverse entry at `forward`'s sibling is in and of this flow.
#[inline(always)]
fn decide<A: Address>(
    key: &FlowKey<A>,
    forward: &FlowEntry<A>,
    tables: &impl Tables<A>,
) -> Claim<A> {
    match tables.insert_flow(key, forward) {
        Inserted::Yes => {
            tables.count(Counter::NewFlow);
            Claim::Settled(*forward)
        }
        Inserted::Exists => {
            tables.count(Counter::FlowRaceLost);
            follow(key, forward, tables)
        }
        Inserted::Full => {
            tables.remove_flow(&forward.sibling(key.proto));
            Claim::Full
        }
    }
}

#[inline(always)]
fn follow<A: Address>(
    key: &FlowKey<A>,
    forward: &FlowEntry<A>,
    tables: &impl FlowTable<A>,
) -> Claim<A> {
    let own = forward.sibling(key.proto);
    match tables.flow(key) {
        Some(winner) => {
            if winner.sibling(key.proto) != own {
                tables.remove_flow(&own);
            }
            Claim::Settled(winner)
        }
        // The LRU took the winner's entry between two instructions: the table is too small.
        None => {
            tables.remove_flow(&own);
            Claim::Full
        }
    }
}
