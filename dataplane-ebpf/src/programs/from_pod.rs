//! tc ingress at the host side of a pod's link: what the pod sends.
//!
//! First hook of everything a pod sends, so it asks whether the pod may send it, and does the whole forward translation, and in bypass
//! mode the delivery too. Answers of a pod in stack mode go on untouched, for `to_pod` to translate
//! when the stack has routed them.

use aya_ebpf::macros::classifier;
use aya_ebpf::programs::TcContext;
use dataplane_common::abi::DropReason;
use dataplane_common::flow::{self, Ingress, Verdict, Work};
use dataplane_common::packet::{Framing, Packet};

use crate::env::KernelEnv;
use crate::family::Stored;
use crate::skb::{Hook, Skb, arrival, run};
use crate::tables::BpfTables;

#[classifier]
fn from_pod(ctx: TcContext) -> i32 {
    run::<FromPod>(ctx, Framing::Ethernet)
}

struct FromPod;

impl Hook for FromPod {
    #[inline(always)]
    fn decide<A: Stored>(skb: &Skb, packet: &mut Packet<A>, work: &mut Work<A>) -> Verdict {
        let arrival = arrival(skb, packet, Ingress::Pod);
        flow::arrive(packet, skb, &arrival, &BpfTables(skb), &KernelEnv, work)
    }

    // Neither is inlined: rare, and their stack is needed elsewhere.
    #[inline(never)]
    fn refuse_frame(skb: &Skb) -> Option<DropReason> {
        flow::refuse_frame(skb, skb.ifindex(), &BpfTables(skb))
    }

    #[inline(never)]
    fn refuse_unread<A: Stored>(skb: &Skb, l3: u32) -> Option<DropReason> {
        flow::refuse_unread::<A, _>(skb, l3, skb.ifindex(), &BpfTables(skb))
    }
}
