//! Last hook of what the host's stack hands to a pod, and of what leaves the node by any other
//! device.

use super::outside::{Known, known};
use super::policy::{Scope, Standing};
use super::select::frontend;
use super::{
    Departure, Env, Sender, Tables, Verdict, Work, conntrack, deliver::stack, hairpin, outside,
    related,
};
use crate::abi::{Address, DropReason, FlowKey};
use crate::packet::{Bytes, IpAddress, Packet, Transport};

/// Decides about a packet that has been routed: answers become the frontend's, the sources of
/// masqueraded flows the node's, and a pod that is its own backend does not see itself as the peer.
#[inline(always)]
pub fn leave<A: IpAddress>(
    packet: &Packet<A>,
    bytes: &impl Bytes,
    departure: Departure,
    tables: &impl Tables<A>,
    env: &impl Env,
    work: &mut Work<A>,
) -> Verdict {
    match packet.transport {
        Transport::Tcp(_) | Transport::Udp { .. } => {}
        Transport::Icmp { .. } => return related::leave(packet, bytes, tables, env, work),
        Transport::LaterFragment | Transport::Other => return Verdict::Pass,
    }
    let to = match known(&packet.key, tables, env, work) {
        Known::Answer if conntrack::hold(packet, tables, env, work) => {
            work.entry.translated(packet.key.proto)
        }
        Known::Masqueraded => outside::source(&packet.key, work),
        Known::Answer | Known::No => {
            if departure.own_socket
                && let Some(reason) = refuse(packet, tables, env, work)
            {
                return Verdict::Drop(reason);
            }
            hairpin::apply(packet.key)
        }
    };
    stack(packet, to, work)
}

/// Why a socket of this node must not begin what it begins. The socket's own hooks have no word for
/// silence.
// Not inlined: what the node itself sends is the lesser part, and its stack is needed elsewhere.
#[inline(never)]
fn refuse<A: Address>(
    packet: &Packet<A>,
    tables: &impl Tables<A>,
    env: &impl Env,
    work: &mut Work<A>,
) -> Option<DropReason> {
    let begins = match packet.transport {
        Transport::Tcp(flags) => flags.opens(),
        Transport::Udp { .. } => true,
        Transport::Icmp { .. } | Transport::LaterFragment | Transport::Other => false,
    };
    if !begins {
        return None;
    }
    if outside::is_taken(&packet.key, tables, env, work) {
        return Some(DropReason::SourcePortTaken);
    }
    let FlowKey { dst, dport, proto, .. } = packet.key;
    if !frontend(dst, dport, proto, tables, &mut work.choice.service) {
        return None;
    }
    let service = &work.choice.service;
    match Standing::of(service, Scope::of(service.flags, Sender::OwnNode)) {
        Standing::NoLocalBackend => Some(DropReason::NoLocalBackend),
        Standing::Served | Standing::Rejected => None,
    }
}
