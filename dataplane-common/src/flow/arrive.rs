//! First hook of what a pod of this node sends, and of what reaches the node by any other device.

use super::create::{Client, create, draft};
use super::policy::Standing;
use super::select::{choose, frontend, is_ours, lets_in};
use super::{
    Answer, Arrival, Env, Ingress, Sender, Tables, Verdict, Work, cluster_ip, conntrack,
    deliver::deliver,
    direct,
    fragments::{self, Hook},
    gone, guard, hairpin, host_port, related, tunnel,
};
use crate::abi::{
    Address, DropReason, FlowKey, Link, LinkFlags, NetnsId, Network, NodeFlags, Pod, PodFlags,
};
use crate::packet::{Bytes, IpAddress, Packet, Transport, may_reset};

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
    if matches!(arrival.by, Ingress::Pod) && guard::is_forged(packet, arrival.ifindex, tables) {
        return Verdict::Drop(DropReason::ForgedSource);
    }
    work.by_stack = false;
    match packet.transport {
        Transport::Tcp(_) | Transport::Sctp(_) => {}
        Transport::Udp { .. } => {
            if let Some(verdict) = tunnel::judge(packet, tables) {
                return verdict;
            }
        }
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
        let mut begun = begin(packet, arrival, tables, env, work);
        if matches!(begun, Begun::NotOurs)
            && conntrack::is_in_the_way(packet, arrival, tables, env, work)
        {
            begun = drafted(direct::draft(arrival, tables, env, work));
        }
        if let Err(verdict) = made(begun, packet, tables, work) {
            return verdict;
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

/// Who is in the middle of a connection that nobody can say the backend of is told, where it
/// believes us: an SCTP association ends by its verification tag alone.
#[inline(always)]
fn unknown<A>(packet: &Packet<A>) -> Verdict {
    if may_reset(packet.transport) {
        Verdict::Reset
    } else {
        Verdict::Drop(DropReason::MiddleWithoutFlow)
    }
}

/// What a packet without a flow came to.
#[derive(Clone, Copy, Debug)]
enum Begun {
    /// It gets one.
    Drafted,
    /// It needs none.
    NotOurs,
    /// Nobody serves its frontend.
    Rejected,
    /// It is of a connection that nobody can say the backend of.
    Unknown,
    /// It must not have one.
    Refused(DropReason),
}

/// Makes the flow that was drafted; what becomes of a packet that gets none.
#[inline(always)]
fn made<A: Address>(
    begun: Begun,
    packet: &Packet<A>,
    tables: &impl Tables<A>,
    work: &mut Work<A>,
) -> Result<(), Verdict> {
    match begun {
        Begun::Drafted => create(tables, work).map_err(Verdict::Drop),
        Begun::NotOurs => Err(Verdict::Pass),
        Begun::Rejected => Err(reject(work)),
        Begun::Unknown => Err(unknown(packet)),
        Begun::Refused(reason) => Err(Verdict::Drop(reason)),
    }
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
    let FlowKey { dst, dport, proto, .. } = work.key;
    // A pod's address tells as much as that there is no frontend, by as many look-ups.
    let is_to_pod =
        packet.transport.continues() && tables.node().is_some_and(|node| dst.is_of_pods(&node));
    if is_to_pod && tables.pod(dst).is_some() {
        return Begun::NotOurs;
    }
    let begins = packet.transport.begins();
    if frontend((dst, dport, proto), begins, tables, &mut work.choice) {
        begin_to_frontend(packet, arrival, tables, env, work)
    } else if begins && cluster_ip::is_one(dst, tables) {
        Begun::Rejected
    } else if is_to_pod && gone::has_lost_its_pod(packet, arrival, tables, work) {
        Begun::Unknown
    } else {
        Begun::NotOurs
    }
}

/// The same to a frontend, which stands for the service in the choice at hand.
#[inline(always)]
fn begin_to_frontend<A: Address>(
    packet: &Packet<A>,
    arrival: &Arrival,
    tables: &impl Tables<A>,
    env: &impl Env,
    work: &mut Work<A>,
) -> Begun {
    let FlowKey { src, dst, .. } = work.key;
    let continues = packet.transport.continues();
    // Only the node's own processes use its loopback, and no packet of theirs comes in.
    if dst.is_loopback() {
        return Begun::NotOurs;
    }
    let detection = tables.node().map_or(NodeFlags::default(), |node| node.flags);
    if continues && detection.has(NodeFlags::ADOPTING) {
        return Begun::NotOurs;
    }
    if continues && packet.transport.resets() {
        return Begun::Refused(DropReason::ResetWithoutFlow);
    }
    if matches!(packet.transport, Transport::LaterFragment) {
        return Begun::Refused(DropReason::FragmentToFrontend);
    }
    if !lets_in(&work.choice.service, src, tables) {
        return Begun::Refused(DropReason::SourceRanges);
    }
    if host_port::has_lost_its_pod(work, tables) {
        return Begun::NotOurs;
    }
    let (sender, client) = who(arrival, src, detection, tables);
    match choose(src, sender, detection, tables, env, &mut work.choice) {
        // Of many backends one is the connection's: the others would reset it a round trip later.
        Standing::Served if continues && !work.choice.is_certain => return Begun::Unknown,
        Standing::Served => {}
        Standing::Rejected if continues => return Begun::Unknown,
        Standing::Rejected => return Begun::Rejected,
        Standing::NoLocalBackend => return Begun::Refused(DropReason::NoLocalBackend),
    }
    // What it answers the stand-in would not come back here.
    if !client.is_here && work.choice.slot.addr == src.widen() {
        work.choice.masquerade = true;
    }
    drafted(draft(client, arrival.delivery, tables, env, work))
}

#[inline(always)]
const fn drafted(outcome: Result<(), DropReason>) -> Begun {
    match outcome {
        Ok(()) => Begun::Drafted,
        Err(reason) => Begun::Refused(reason),
    }
}

/// Who begins a flow, and how it is reached.
#[inline(always)]
fn who<A: Address>(
    arrival: &Arrival,
    src: A,
    detection: NodeFlags,
    tables: &impl Tables<A>,
) -> (Sender, Client) {
    match arrival.by {
        Ingress::Pod => {
            let pod = tables.pod(src);
            let netns = pod.map_or(NetnsId::default(), |pod| pod.netns);
            let takes_bypass = pod.is_some_and(takes_peers);
            let source = match detection.has(NodeFlags::PODS_BY_NETWORK) {
                true => network(src, tables),
                false => Network::default(),
            };
            let client = Client { takes_bypass, is_pod: true, is_here: true, netns };
            (Sender::of_pod::<A>(detection, source), client)
        }
        Ingress::Netdev => {
            let link = tables.link(arrival.ifindex);
            let Link { flags, .. } = link.unwrap_or_default();
            let is_here = flags.has(LinkFlags::WORKLOADS);
            let takes_bypass = link.is_some() && !is_here;
            let sender = Sender::behind::<A>(detection, flags, network(src, tables));
            let netns = NetnsId::default();
            (sender, Client { takes_bypass, is_pod: false, is_here, netns })
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
