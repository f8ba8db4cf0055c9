//! tc ingress at an uplink, or at a tunnel whose packets have Ethernet headers: what other nodes
//! send. Answers to flows of this node's pods are translated and delivered; all else passes.

use aya_ebpf::macros::classifier;
use aya_ebpf::programs::TcContext;
use dataplane_common::flow::{self, Verdict, Work};
use dataplane_common::packet::{Framing, Packet};

use crate::env::KernelEnv;
use crate::family::Stored;
use crate::skb::{Hook, Skb, arrival, run};
use crate::tables::BpfTables;

#[classifier]
fn from_netdev(ctx: TcContext) -> i32 {
    run::<FromNetdev>(ctx, Framing::Ethernet)
}

pub(super) struct FromNetdev;

impl Hook for FromNetdev {
    #[inline(always)]
    fn decide<A: Stored>(skb: &Skb, packet: &Packet<A>, work: &mut Work<A>) -> Verdict<A> {
        flow::from_netdev(packet, &arrival(skb, packet), &BpfTables(skb), &KernelEnv, work)
    }
}
