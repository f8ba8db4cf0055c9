//! The tuples of flows that the stack routes, inside the host and outside of it.
//!
//! A packet with one of the node's own addresses as its source does not enter the stack. So a
//! masqueraded flow has, between its first and its last hook, the client's address with the port
//! that stands for the client, in both directions:
//!
//! ```text
//! client:port -> frontend     client:natport -> backend     node:natport -> backend
//!                   first hook                      last hook
//! frontend -> client:port     backend -> client:natport     backend -> node:natport
//!                   last hook                      first hook
//! ```
//!
//! The reverse entry, keyed by the right-hand column, tells the last hook both ways.

use super::conntrack::{end, is_expired, is_over};
use super::source::masquerade;
use super::{Env, Tables, Work};
use crate::abi::{Address, FlowEntry, FlowFlags, FlowKey};

/// The tuple that the stack sees, of a packet at its first hook.
#[inline(always)]
pub(super) fn inside<A: Address>(key: &FlowKey<A>, entry: &FlowEntry<A>) -> FlowKey<A> {
    if !entry.flags.has(FlowFlags::REVERSE) {
        FlowKey { src: key.src, ..entry.translated(key.proto) }
    } else if entry.flags.has(FlowFlags::MASQUERADED) {
        FlowKey { dst: entry.dst, ..*key }
    } else {
        *key
    }
}

/// What is known of a tuple that the stack has routed.
pub(super) enum Known {
    /// Of a backend's answer: key and entry at hand are those of what the backend sends.
    Answer,
    /// Of what a masqueraded client sends: key and entry at hand are those of its answers.
    Masqueraded,
    /// Nothing.
    No,
}

/// Finds the flow of a packet at its last hook.
// Not inlined: its stack is needed by what follows it.
#[inline(never)]
pub(super) fn known<A: Address>(
    key: &FlowKey<A>,
    tables: &impl Tables<A>,
    env: &impl Env,
    work: &mut Work<A>,
) -> Known {
    work.key = *key;
    if let Some(entry) = tables.flow(&work.key)
        && entry.flags.has(FlowFlags::REVERSE)
        && !entry.flags.has(FlowFlags::MASQUERADED)
    {
        work.entry = entry;
        return Known::Answer;
    }
    let Some(node) = tables.node() else {
        return Known::No;
    };
    if node.knows(key.sport, key.proto) {
        work.key = FlowKey { dst: masquerade(&node, key.dst, tables), ..key.turned() };
        if is_masqueraded(&key.src, tables, work)
            && !is_expired(&work.entry, key.proto, env.now(), tables)
        {
            return Known::Masqueraded;
        }
    }
    if node.knows(key.dport, key.proto) {
        work.key = FlowKey { dst: masquerade(&node, key.src, tables), ..*key };
        if is_masqueraded(&key.dst, tables, work) {
            return Known::Answer;
        }
    }
    Known::No
}

/// The tuple of a masqueraded client's packet outside.
#[inline(always)]
pub(super) fn source<A: Address>(key: &FlowKey<A>, work: &Work<A>) -> FlowKey<A> {
    FlowKey { src: work.key.dst, ..*key }
}

/// Whether the key at hand is that of answers to a masqueraded client; then the entry is, too.
#[inline(always)]
fn is_masqueraded<A: Address>(client: &A, tables: &impl Tables<A>, work: &mut Work<A>) -> bool {
    match tables.flow(&work.key) {
        Some(entry) => {
            work.entry = entry;
            entry.flags.has(FlowFlags::REVERSE.union(FlowFlags::MASQUERADED))
                && entry.dst == *client
        }
        None => false,
    }
}

/// Whether a process of this node begins a flow by the tuple of a masqueraded one: answers could not
/// be told apart. A flow that is over makes way.
#[inline(always)]
pub(super) fn is_taken<A: Address>(
    key: &FlowKey<A>,
    tables: &impl Tables<A>,
    env: &impl Env,
    work: &mut Work<A>,
) -> bool {
    let Some(node) = tables.node() else {
        return false;
    };
    if !node.knows(key.sport, key.proto) {
        return false;
    }
    work.judged_key = key.turned();
    let Some(entry) = tables.flow(&work.judged_key) else {
        return false;
    };
    work.judged = entry;
    let is_masqueraded = entry.flags.has(FlowFlags::REVERSE.union(FlowFlags::MASQUERADED));
    if is_masqueraded && is_over(&entry, key.proto, env.now(), tables) {
        end(tables, work);
        return false;
    }
    is_masqueraded
}
