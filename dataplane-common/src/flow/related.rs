//! ICMP errors about packets of translated flows: sender and quote must be what the receiver knows.
//!
//! An error travels against the packet it quotes, so the quoted tuple turned round is the key of the
//! direction the error belongs to. Errors always go by the stack: rare, and not worth a redirect.

use super::{Related, Tables, Verdict, hairpin};
use crate::abi::{FlowFlags, FlowKey};
use crate::packet::{Bytes, IpAddress, Packet, Quoted, quoted};

/// An error that a pod sends: for the frontend it talks to, so for that flow's backend.
// Not inlined: rare, and its stack is needed elsewhere.
#[inline(never)]
pub(super) fn from_pod<A: IpAddress>(
    packet: &Packet<A>,
    bytes: &impl Bytes,
    tables: &impl Tables<A>,
) -> Verdict<A> {
    let Ok(quote) = quoted(bytes, packet) else {
        return Verdict::Pass;
    };
    let direction = hairpin::undo(quote.key.turned());
    let to = match tables.flow(&direction) {
        Some(entry) if !entry.flags.has(FlowFlags::REVERSE) => entry.translated(direction.proto),
        Some(_) | None => direction,
    };
    related(packet, quote, to)
}

/// An error that a pod gets: from a backend, so from the frontend the pod knows it by.
// Not inlined: rare, and its stack is needed elsewhere.
#[inline(never)]
pub(super) fn to_pod<A: IpAddress>(
    packet: &Packet<A>,
    bytes: &impl Bytes,
    tables: &impl Tables<A>,
) -> Verdict<A> {
    let Ok(quote) = quoted(bytes, packet) else {
        return Verdict::Pass;
    };
    let direction = quote.key.turned();
    let to = match tables.flow(&direction) {
        Some(entry) if entry.flags.has(FlowFlags::REVERSE) => entry.translated(direction.proto),
        Some(_) | None => hairpin::apply(direction),
    };
    related(packet, quote, to)
}

/// The error with its direction's tuple replaced by `to`.
#[inline(always)]
fn related<A: IpAddress>(packet: &Packet<A>, quote: Quoted<A>, to: FlowKey<A>) -> Verdict<A> {
    let from = quote.key.turned();
    if from == to || packet.key.dst != from.dst {
        return Verdict::Pass;
    }
    Verdict::Related(Related { quote, to })
}
