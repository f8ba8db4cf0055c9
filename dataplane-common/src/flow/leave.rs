//! Last hook of what the host's stack hands to a pod, and of what leaves the node by any other
//! device.

use super::outside::{Known, known};
use super::policy::{Scope, Standing};
use super::select::{frontend, lets_in};
use super::{
    Departure, Env, Sender, Tables, Verdict, Work, cluster_ip, conntrack,
    deliver::stack,
    fragments::{self, Hook},
    hairpin, outside, related,
};
use crate::abi::{Address, DropReason, FlowKey, NodeFlags, Proto};
use crate::packet::{Bytes, IpAddress, Packet, Transport};

/// Decides about a packet that has been routed: answers become the frontend's, the sources of
/// masqueraded flows the node's, and a pod that is its own backend does not see itself as the peer.
#[inline(always)]
pub fn leave<A: IpAddress>(
    packet: &mut Packet<A>,
    bytes: &impl Bytes,
    departure: Departure,
    tables: &impl Tables<A>,
    env: &impl Env,
    work: &mut Work<A>,
) -> Verdict {
    match packet.transport {
        Transport::Tcp(_) | Transport::Sctp(_) | Transport::Udp { .. } => {}
        Transport::Icmp { kind, .. } if kind != A::ECHO => {
            return related::leave(packet, bytes, tables, env, work);
        }
        Transport::Icmp { .. } | Transport::Other => {
            return match refuse_elsewhere(packet, departure, tables) {
                Some(reason) => Verdict::Drop(reason),
                None => Verdict::Pass,
            };
        }
        Transport::LaterFragment => {
            if !fragments::complete(packet, bytes, Hook::Last, tables, env, work) {
                return Verdict::Pass;
            }
        }
    }
    let to = match known(&packet.key, tables, env, work) {
        Known::Answer if conntrack::hold(packet, tables, env, work) => {
            work.entry.translated(packet.key.proto)
        }
        Known::Masqueraded => outside::source(&packet.key, work),
        Known::Answer | Known::No => {
            if packet.transport.begins()
                && let Some(reason) = refuse(packet, departure, tables, env, work)
            {
                return Verdict::Drop(reason);
            }
            if is_untranslated(&packet.key, tables, work) {
                return Verdict::Drop(DropReason::UntranslatedVip);
            }
            hairpin::apply(packet.key)
        }
    };
    let verdict = stack(packet, to, work);
    if packet.is_first_fragment() && verdict == Verdict::Stack {
        fragments::note(packet, bytes, Hook::Last, verdict, tables, env);
    }
    verdict
}

/// Whether a packet still goes to a frontend, though another proxy was to translate it: what of its
/// connections neither knows would leave by the default route.
#[inline(always)]
fn is_untranslated<A: Address>(
    key: &FlowKey<A>,
    tables: &impl Tables<A>,
    work: &mut Work<A>,
) -> bool {
    tables.node().is_some_and(|node| node.flags.has(NodeFlags::ADOPTING))
        && is_to_frontend(key, tables, work)
}

// Not inlined: rare, and its stack is needed elsewhere.
#[inline(never)]
fn is_to_frontend<A: Address>(
    key: &FlowKey<A>,
    tables: &impl Tables<A>,
    work: &mut Work<A>,
) -> bool {
    frontend((key.dst, key.dport, key.proto), false, tables, &mut work.choice)
}

/// Why what may begin a flow must not leave.
#[inline(always)]
fn refuse<A: Address>(
    packet: &Packet<A>,
    departure: Departure,
    tables: &impl Tables<A>,
    env: &impl Env,
    work: &mut Work<A>,
) -> Option<DropReason> {
    if departure.own_socket {
        match refuse_own(packet, tables, env, work) {
            Own::Refused(reason) => return Some(reason),
            Own::Frontend => return None,
            Own::Elsewhere => {}
        }
    }
    refuse_elsewhere(packet, departure, tables)
}

/// Why a packet must not leave whose destination is no frontend.
#[inline(always)]
fn refuse_elsewhere<A: Address>(
    packet: &Packet<A>,
    departure: Departure,
    tables: &impl Tables<A>,
) -> Option<DropReason> {
    let dst = packet.key.dst;
    if cluster_ip::may_be(dst, tables) {
        cluster_ip::refuse(dst, departure.own_socket, tables)
    } else {
        None
    }
}

/// What a packet that a socket of this node sends meets.
enum Own {
    /// A frontend that it may go to.
    Frontend,
    /// No frontend.
    Elsewhere,
    /// What it must not begin.
    Refused(DropReason),
}

/// Whether a socket of this node must not begin what it begins. The socket's own hooks have no word
/// for silence.
// Not inlined: what the node itself sends is the lesser part, and its stack is needed elsewhere.
#[inline(never)]
fn refuse_own<A: Address>(
    packet: &Packet<A>,
    tables: &impl Tables<A>,
    env: &impl Env,
    work: &mut Work<A>,
) -> Own {
    if outside::is_taken(&packet.key, tables, env, work) {
        return Own::Refused(DropReason::SourcePortTaken);
    }
    let FlowKey { src, dst, dport, proto, .. } = packet.key;
    if !frontend((dst, dport, proto), false, tables, &mut work.choice) {
        return Own::Elsewhere;
    }
    let service = &work.choice.service;
    if !lets_in(service, src, tables) {
        return Own::Refused(DropReason::SourceRanges);
    }
    match Standing::of(service, Scope::of(service.flags, Sender::OwnNode)) {
        Standing::NoLocalBackend => Own::Refused(DropReason::NoLocalBackend),
        // No socket's hook is asked about SCTP.
        Standing::Served | Standing::Rejected if proto == Proto::SCTP => {
            Own::Refused(DropReason::UntranslatedVip)
        }
        Standing::Served | Standing::Rejected => Own::Frontend,
    }
}
