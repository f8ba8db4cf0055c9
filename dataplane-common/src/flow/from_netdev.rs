//! First hook of what reaches this node from outside.

use super::{Arrival, Env, Tables, Verdict, Work, conntrack, deliver::deliver};
use crate::abi::{Address, FlowFlags};
use crate::packet::Packet;

/// Decides about a packet that comes in by an uplink or a tunnel: answers to flows that began in a
/// pod of this node. Those that the stack delivers are left to `to_pod`.
#[inline(always)]
pub fn from_netdev<A: Address>(
    packet: &Packet<A>,
    arrival: &Arrival,
    tables: &impl Tables<A>,
    env: &impl Env,
    work: &mut Work<A>,
) -> Verdict<A> {
    if !packet.has_ports() {
        return Verdict::Pass;
    }
    work.key = packet.key;
    if conntrack::find(packet, tables, env, work) && work.entry.flags.has(FlowFlags::REVERSE) {
        deliver(packet, arrival, tables, work)
    } else {
        Verdict::Pass
    }
}
