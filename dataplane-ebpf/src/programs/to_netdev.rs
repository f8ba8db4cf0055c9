//! tc egress at a device that is no pod's link: what leaves the host by it.
//!
//! Last hook before the device: answers become the frontend's, the sources of masqueraded flows the
//! node's, and what the node itself must not begin ends here. Packets that we redirected there are
//! done with: the redirect says so in their `tc_index`, and here that ends.

use aya_ebpf::macros::classifier;
use aya_ebpf::programs::TcContext;
use dataplane_common::flow::{self, Verdict, Work};
use dataplane_common::packet::{Framing, Packet};

use crate::env::KernelEnv;
use crate::family::Stored;
use crate::skb::{Hook, Skb, departure, run};
use crate::tables::BpfTables;
use crate::verdict::leave_alone;

#[classifier]
fn to_netdev(ctx: TcContext) -> i32 {
    leave(ctx, Framing::Ethernet)
}

#[inline(always)]
pub(super) fn leave(ctx: TcContext, framing: Framing) -> i32 {
    if Skb::new(&ctx).take_done() { leave_alone() } else { run::<ToNetdev>(ctx, framing) }
}

struct ToNetdev;

impl Hook for ToNetdev {
    #[inline(always)]
    fn decide<A: Stored>(skb: &Skb, packet: &mut Packet<A>, work: &mut Work<A>) -> Verdict {
        flow::leave(packet, skb, departure(skb), &BpfTables(skb), &KernelEnv, work)
    }
}
