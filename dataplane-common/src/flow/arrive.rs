//! First hook of what a pod of this node sends, and of what reaches the node by any other device.

use super::create::{Client, create, draft};
use super::policy::Standing;
use super::select::{choose, frontend, is_ours, lets_in};
use super::{
    Answer, Arrival, Env, Ingress, Sender, Tables, Verdict, Work, cluster_ip, conntrack,
    deliver::deliver,
    fragments::{self, Hook},
    hairpin, related,
};
use crate::abi::{
    Address, DropReason, FlowKey, Link, LinkFlags, Network, NodeFlags, Pod, PodFlags,
};
use crate::packet::{Bytes, IpAddress, Packet, TcpFlags, Transport};

/// Decides about a packet that comes in.
#[inline(always)]
pub fn arrive<A: IpAddress>(
    packet: &mut Packet<A>,
    bytes: &impl Bytes,
    arrival: &Arrival,
    tables: &impl Tables<A>,
    env: &impl Env,
    work: &mut Work<A>,
) -> Verdict {
    work.by_stack = false;
    match packet.transport {
        Transport::Tcp(_) | Transport::Udp { .. } => {}
        Transport::Icmp { kind, .. } if kind != A::ECHO => {
            return related::arrive(packet, bytes, tables, work);
        }
        Transport::Icmp { .. } | Transport::Other => return without_ports(packet, tables, work),
        Transport::LaterFragment => {
            if !fragments::complete(packet, bytes, Hook::First, tables, env, work) {
                return overtaken(packet, tables);
            }
        }
    }
    work.key = hairpin::undo(packet.key);
    if !conntrack::find(packet, tables, env, work) {
        match begin(packet, arrival, tables, env, work) {
            Begun::Drafted => {
                if let Err(reason) = create(tables, work) {
                    return Verdict::Drop(reason);
                }
            }
            Begun::NotOurs => {
                conntrack::make_way(packet, tables, env, work);
                return Verdict::Pass;
            }
            Begun::Rejected => return reject(work),
            Begun::Refused(reason) => return Verdict::Drop(reason),
        }
    }
    let verdict = deliver(packet, arrival, tables, work);
    if packet.is_first_fragment() {
        fragments::note(packet, bytes, Hook::First, verdict, tables, env);
    }
    verdict
}

/// A fragment without its first one: nobody can say whose flow it is, and the default route is no
/// place for what is for a frontend.
#[inline(always)]
fn overtaken<A: Address>(packet: &Packet<A>, tables: &impl Tables<A>) -> Verdict {
    if is_ours(packet.key.dst, tables) {
        Verdict::Drop(DropReason::FragmentToFrontend)
    } else {
        Verdict::Pass
    }
}

/// No port of a cluster IP is served by what has none.
#[inline(always)]
fn without_ports<A: Address>(
    packet: &Packet<A>,
    tables: &impl Tables<A>,
    work: &mut Work<A>,
) -> Verdict {
    if cluster_ip::is_one(packet.key.dst, tables) { reject(work) } else { Verdict::Pass }
}

#[inline(always)]
fn reject<A>(work: &mut Work<A>) -> Verdict {
    work.exit.answer = Answer::PortUnreachable;
    Verdict::Answer
}

/// What a packet without a flow came to.
enum Begun {
    /// It gets one.
    Drafted,
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
    arrival: &Arrival,
    tables: &impl Tables<A>,
    env: &impl Env,
    work: &mut Work<A>,
) -> Begun {
    if packet.key.dst == A::HAIRPIN {
        return Begun::Refused(DropReason::HairpinWithoutFlow);
    }
    let FlowKey { src, dst, dport, proto, .. } = work.key;
    if !frontend(dst, dport, proto, tables, &mut work.choice.service) {
        let is_unserved = packet.transport.begins() && cluster_ip::is_one(dst, tables);
        return if is_unserved { Begun::Rejected } else { Begun::NotOurs };
    }
    // Only the node's own processes use its loopback, and no packet of theirs comes in.
    if dst.is_loopback() {
        return Begun::NotOurs;
    }
    // Any other segment begins a flow, as Linux conntrack's loose pick-up has it: a backend that
    // does not know the connection resets it, and the client learns in one round trip.
    if matches!(packet.transport, Transport::Tcp(flags) if flags.has(TcpFlags::RST)) {
        return Begun::Refused(DropReason::ResetWithoutFlow);
    }
    if matches!(packet.transport, Transport::LaterFragment) {
        return Begun::Refused(DropReason::FragmentToFrontend);
    }
    if !lets_in(&work.choice.service, src, tables) {
        return Begun::Refused(DropReason::SourceRanges);
    }
    let (sender, client) = who(arrival, src, tables);
    match choose(src, sender, tables, env, &mut work.choice) {
        Standing::Served => {}
        Standing::Rejected => return Begun::Rejected,
        Standing::NoLocalBackend => return Begun::Refused(DropReason::NoLocalBackend),
    }
    match draft(client, arrival.delivery, tables, env, work) {
        Ok(()) => Begun::Drafted,
        Err(reason) => Begun::Refused(reason),
    }
}

/// Who begins a flow, and how it is reached.
#[inline(always)]
fn who<A: Address>(arrival: &Arrival, src: A, tables: &impl Tables<A>) -> (Sender, Client) {
    let detection = tables.node().unwrap_or_default().flags;
    match arrival.by {
        Ingress::Pod => {
            let takes_bypass = tables.pod(src).is_some_and(takes_peers);
            let source = match detection.has(NodeFlags::PODS_BY_NETWORK) {
                true => network(src, tables),
                false => Network::default(),
            };
            (Sender::of_pod::<A>(detection, source), Client { takes_bypass, is_pod: true })
        }
        Ingress::Netdev => {
            let link = tables.link(arrival.ifindex);
            let Link { flags, .. } = link.unwrap_or_default();
            let takes_bypass = link.is_some() && !flags.has(LinkFlags::WORKLOADS);
            let sender = Sender::behind::<A>(detection, flags, network(src, tables));
            (sender, Client { takes_bypass, is_pod: false })
        }
    }
}

#[inline(always)]
fn network<A: Address>(addr: A, tables: &impl Tables<A>) -> Network {
    tables.network(&addr.widen()).unwrap_or_default()
}

/// Whether packets may be redirected into a pod.
#[inline(always)]
pub(super) fn takes_peers(pod: Pod) -> bool {
    !pod.flags.has(PodFlags::NO_PEER)
}
