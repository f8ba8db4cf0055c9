//! tc ingress at any device that is no pod's link and whose packets have Ethernet headers: uplinks,
//! tunnels, links of pods that are not ours.
//!
//! First hook of everything that reaches the node from outside, as `from_pod` is of what pods send.
//! Frames for other stations do not reach it: they are a sniffer's, a bridge's or a macvlan's.

use aya_ebpf::macros::classifier;
use aya_ebpf::programs::TcContext;
use dataplane_common::flow::{self, Ingress, Verdict, Work};
use dataplane_common::packet::{Framing, Packet};

use crate::env::KernelEnv;
use crate::family::Stored;
use crate::skb::{Hook, Skb, arrival, run};
use crate::tables::BpfTables;
use crate::verdict::leave_alone;

#[classifier]
fn from_netdev(ctx: TcContext) -> i32 {
    if Skb::new(&ctx).is_for_others() {
        return leave_alone();
    }
    run::<FromNetdev>(ctx, Framing::Ethernet)
}

pub(super) struct FromNetdev;

impl Hook for FromNetdev {
    #[inline(always)]
    fn decide<A: Stored>(skb: &Skb, packet: &mut Packet<A>, work: &mut Work<A>) -> Verdict {
        let arrival = arrival(skb, packet, Ingress::Netdev);
        flow::arrive(packet, skb, &arrival, &BpfTables(skb), &KernelEnv, work)
    }
}
