//! Last hook of what the host's stack hands to a pod of this node.

use super::{Env, Tables, Verdict, Work, conntrack, deliver::stack, hairpin, related};
use crate::abi::FlowFlags;
use crate::packet::{Bytes, IpAddress, Packet, Transport};

/// Decides about a packet that a pod is about to get from the stack: answers become the frontend's,
/// and a pod that is its own backend does not see itself as the peer.
#[inline(always)]
pub fn to_pod<A: IpAddress>(
    packet: &Packet<A>,
    bytes: &impl Bytes,
    tables: &impl Tables<A>,
    env: &impl Env,
    work: &mut Work<A>,
) -> Verdict<A> {
    match packet.transport {
        Transport::Tcp(_) | Transport::Udp { .. } => {}
        Transport::Icmp { .. } => return related::to_pod(packet, bytes, tables),
        Transport::LaterFragment | Transport::Other => return Verdict::Pass,
    }
    work.key = packet.key;
    let to =
        if conntrack::find(packet, tables, env, work) && work.entry.flags.has(FlowFlags::REVERSE) {
            work.entry.translated(packet.key.proto)
        } else {
            hairpin::apply(packet.key)
        };
    stack(packet, to)
}
