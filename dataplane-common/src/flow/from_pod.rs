//! First hook of what a pod of this node sends.

use super::policy::Standing;
use super::select::{choose, frontend, is_ours};
use super::{
    Answer, Arrival, Env, Sender, Tables, Verdict, Work, conntrack, create::create,
    deliver::deliver, hairpin, related,
};
use crate::abi::{Address, Delivery, DropReason, FlowKey};
use crate::packet::{Bytes, IpAddress, Packet, TcpFlags, Transport};

/// Decides about a packet that a pod sends.
#[inline(always)]
pub fn from_pod<A: IpAddress>(
    packet: &Packet<A>,
    bytes: &impl Bytes,
    arrival: &Arrival,
    tables: &impl Tables<A>,
    env: &impl Env,
    work: &mut Work<A>,
) -> Verdict<A> {
    match packet.transport {
        Transport::Tcp(_) | Transport::Udp { .. } => {}
        Transport::Icmp { .. } => return related::from_pod(packet, bytes, tables),
        // Without ports nobody can say whose flow it is, and the default route is no place for it.
        Transport::LaterFragment if is_ours(packet.key.dst, tables) => {
            return Verdict::Drop(DropReason::FragmentToFrontend);
        }
        Transport::LaterFragment | Transport::Other => return Verdict::Pass,
    }
    work.key = hairpin::undo(packet.key);
    if !conntrack::find(packet, tables, env, work) {
        match begin(packet, arrival.delivery, tables, env, work) {
            Begun::Flow => {}
            Begun::NotOurs => {
                conntrack::make_way(packet, tables, work);
                return Verdict::Pass;
            }
            Begun::Rejected => return Verdict::Answer(Answer::PortUnreachable),
            Begun::Refused(reason) => return Verdict::Drop(reason),
        }
    }
    deliver(packet, arrival, tables, work)
}

/// What a packet without a flow came to.
enum Begun {
    /// It has one.
    Flow,
    /// It needs none.
    NotOurs,
    /// Nobody serves its frontend.
    Rejected,
    /// It must not have one.
    Refused(DropReason),
}

/// A packet without a flow.
// Not inlined: established flows need neither its code nor its stack.
#[inline(never)]
fn begin<A: Address>(
    packet: &Packet<A>,
    delivery: Delivery,
    tables: &impl Tables<A>,
    env: &impl Env,
    work: &mut Work<A>,
) -> Begun {
    if packet.key.dst == A::HAIRPIN {
        return Begun::Refused(DropReason::HairpinWithoutFlow);
    }
    let FlowKey { src, dst, dport, proto, .. } = work.key;
    if !frontend(dst, dport, proto, tables, &mut work.choice.service) {
        return Begun::NotOurs;
    }
    // Any other segment begins a flow, as Linux conntrack's loose pick-up has it: a backend that
    // does not know the connection resets it, and the client learns in one round trip.
    if matches!(packet.transport, Transport::Tcp(flags) if flags.has(TcpFlags::RST)) {
        return Begun::Refused(DropReason::ResetWithoutFlow);
    }
    match choose(src, Sender::LocalPod, tables, env, &mut work.choice) {
        Standing::Served => {}
        Standing::Rejected => return Begun::Rejected,
        Standing::NoLocalBackend => return Begun::Refused(DropReason::NoLocalBackend),
    }
    match create(delivery, tables, env, work) {
        Ok(()) => Begun::Flow,
        Err(reason) => Begun::Refused(reason),
    }
}
