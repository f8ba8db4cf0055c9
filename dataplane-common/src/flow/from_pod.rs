//! First hook of what a pod of this node sends.

use super::select::{Selection, is_frontend_address, select};
use super::{
    Answer, Arrival, Env, Tables, Verdict, conntrack, create::create, deliver::deliver, hairpin,
    related,
};
use crate::abi::{Address, DropReason, FlowKey};
use crate::packet::{Bytes, IpAddress, Packet, TcpFlags, Transport};

/// Decides about a packet that a pod sends.
#[inline(always)]
pub fn from_pod<A: IpAddress>(
    packet: &Packet<A>,
    bytes: &impl Bytes,
    arrival: &Arrival,
    tables: &impl Tables<A>,
    env: &impl Env,
) -> Verdict<A> {
    match packet.transport {
        Transport::Tcp(_) | Transport::Udp { .. } => {}
        Transport::Icmp { .. } => return related::from_pod(packet, bytes, tables),
        // Without ports nobody can say whose flow it is, and the default route is no place for it.
        Transport::LaterFragment if is_frontend_address(packet.key.dst, tables) => {
            return Verdict::Drop(DropReason::FragmentToFrontend);
        }
        Transport::LaterFragment | Transport::Other => return Verdict::Pass,
    }
    let key = hairpin::undo(packet.key);
    match conntrack::find(&key, packet, tables, env) {
        Some(entry) => deliver(packet, &key, &entry, arrival, tables),
        None => begin(packet, &key, arrival, tables, env),
    }
}

/// A packet without a flow.
#[inline(always)]
fn begin<A: Address>(
    packet: &Packet<A>,
    key: &FlowKey<A>,
    arrival: &Arrival,
    tables: &impl Tables<A>,
    env: &impl Env,
) -> Verdict<A> {
    let (service, slot) = match select(key, tables, env) {
        Selection::NotFrontend => return Verdict::Pass,
        Selection::NoBackend => return Verdict::Answer(Answer::PortUnreachable),
        Selection::Refused(reason) => return Verdict::Drop(reason),
        Selection::Backend(service, slot) => (service, slot),
    };
    // Any other segment begins a flow, as nf_conntrack's loose pick-up has it: a backend that does
    // not know the connection resets it, and the client learns in one round trip.
    if matches!(packet.transport, Transport::Tcp(flags) if flags.has(TcpFlags::RST)) {
        return Verdict::Drop(DropReason::ResetWithoutFlow);
    }
    match create(key, &service, &slot, arrival.delivery, tables, env) {
        Ok(entry) => deliver(packet, key, &entry, arrival, tables),
        Err(reason) => Verdict::Drop(reason),
    }
}
