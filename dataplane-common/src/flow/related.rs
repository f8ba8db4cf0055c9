//! ICMP errors about packets of translated flows: sender and quote must be what the receiver knows.
//!
//! An error travels against the packet it quotes, so the quoted tuple turned round is the key of the
//! direction the error belongs to. Errors always go by the stack: rare, and not worth a redirect.

use super::outside::{Known, inside, known, source};
use super::{Env, Related, Tables, Verdict, Work, hairpin};
use crate::packet::{Bytes, IpAddress, Packet, quoted};

/// An error that comes in: inside the host it is what the stack knows the flow by.
// Not inlined: rare, and its stack is needed elsewhere.
#[inline(never)]
pub(super) fn arrive<A: IpAddress>(
    packet: &Packet<A>,
    bytes: &impl Bytes,
    tables: &impl Tables<A>,
    work: &mut Work<A>,
) -> Verdict {
    if !read(packet, bytes, work) {
        return Verdict::Pass;
    }
    work.key = hairpin::undo(work.exit.related.to);
    work.exit.related.to = match tables.flow(&work.key) {
        Some(entry) => inside(&work.key, &entry),
        None => work.key,
    };
    changed(work)
}

/// An error that leaves: outside it is what its receiver knows the flow by.
// Not inlined: as above.
#[inline(never)]
pub(super) fn leave<A: IpAddress>(
    packet: &Packet<A>,
    bytes: &impl Bytes,
    tables: &impl Tables<A>,
    env: &impl Env,
    work: &mut Work<A>,
) -> Verdict {
    if !read(packet, bytes, work) {
        return Verdict::Pass;
    }
    let direction = work.exit.related.to;
    work.exit.related.to = match known(&direction, tables, env, work) {
        Known::Answer => work.entry.translated(direction.proto),
        Known::Masqueraded => source(&direction, work),
        Known::No => hairpin::apply(direction),
    };
    changed(work)
}

/// Reads the quote, with the tuple of the error's own direction as it is; false where none is to be
/// translated.
// Not inlined: its stack is needed by what follows it.
#[inline(never)]
fn read<A: IpAddress>(packet: &Packet<A>, bytes: &impl Bytes, work: &mut Work<A>) -> bool {
    let Ok(quote) = quoted(bytes, packet) else {
        return false;
    };
    work.exit.related = Related { quote, to: quote.key.turned() };
    // Else it is not for the quoted packet's sender.
    packet.key.dst == quote.key.src
}

#[inline(always)]
fn changed<A: IpAddress>(work: &Work<A>) -> Verdict {
    let Related { quote, to } = &work.exit.related;
    if quote.key.turned() == *to { Verdict::Pass } else { Verdict::Related }
}
