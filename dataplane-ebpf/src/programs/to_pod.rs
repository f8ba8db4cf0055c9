//! tc egress at the host side of a pod's link: what the stack hands to the pod.
//!
//! Last hook before the pod. Packets that were redirected into the pod do not pass here; ICMP
//! errors that `from_pod` sends back do, and belong to no flow that would change them.

use aya_ebpf::macros::classifier;
use aya_ebpf::programs::TcContext;
use dataplane_common::flow::{self, Verdict, Work};
use dataplane_common::packet::{Framing, Packet};

use crate::env::KernelEnv;
use crate::family::Stored;
use crate::skb::{Hook, Skb, departure, run};
use crate::tables::BpfTables;

#[classifier]
fn to_pod(ctx: TcContext) -> i32 {
    run::<ToPod>(ctx, Framing::Ethernet)
}

struct ToPod;

impl Hook for ToPod {
    #[inline(always)]
    fn decide<A: Stored>(skb: &Skb, packet: &mut Packet<A>, work: &mut Work<A>) -> Verdict {
        flow::leave(packet, skb, departure(skb), &BpfTables(skb), &KernelEnv, work)
    }
}
