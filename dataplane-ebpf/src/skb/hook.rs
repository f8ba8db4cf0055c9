//! What every hook does: read the packet, decide, carry out.
//!
//! Each step is a function of its own with a frame of its own: IPv6 tuples are large, the kernel
//! gives a chain of calls 512 bytes of stack, and what the steps hand on lies in a [`Scratch`].

use core::mem::MaybeUninit;

use aya_ebpf::programs::TcContext;
use dataplane_common::abi::{DropReason, Family};
use dataplane_common::flow::{Verdict, Work};
use dataplane_common::packet::{Framing, Packet, locate, parse_l3};

use super::{Head, Skb};
use crate::family::Stored;
use crate::verdict::{carry_out, pass, pass_unless};

/// The decision of one hook, for both families.
pub(crate) trait Hook {
    fn decide<A: Stored>(skb: &Skb, packet: &mut Packet<A>, work: &mut Work<A>) -> Verdict;

    /// Why what is not IP must not pass.
    #[inline(always)]
    fn refuse_frame(_skb: &Skb) -> Option<DropReason> {
        None
    }

    /// Why what cannot be read behind its IP header must not pass.
    #[inline(always)]
    fn refuse_unread<A: Stored>(_skb: &Skb, _l3: u32) -> Option<DropReason> {
        None
    }
}

/// What is known of the packet at hand, in a map element of this CPU.
pub(crate) struct Scratch<A> {
    packet: MaybeUninit<Packet<A>>,
    work: Work<A>,
}

/// Runs a hook on a packet; the action to return from the program.
#[inline(always)]
pub(crate) fn run<H: Hook>(ctx: TcContext, framing: Framing) -> i32 {
    let skb = Skb::new(&ctx);
    match locate(&Head(skb), framing) {
        Ok((l3, Family::V4)) => handle::<H, [u8; 4]>(skb, framing, l3),
        Ok((l3, Family::V6)) => handle::<H, [u8; 16]>(skb, framing, l3),
        Err(_) => pass_unless(H::refuse_frame(&skb)),
    }
}

#[inline(always)]
fn handle<H: Hook, A: Stored>(skb: Skb, framing: Framing, l3: u32) -> i32 {
    let Some(scratch) = A::scratch() else {
        return pass();
    };
    // SAFETY: the element is this CPU's own, and no other program run interrupts this one on it.
    let Scratch { packet, work } = unsafe { &mut *scratch };
    let Some(packet) = read(skb, l3, packet) else {
        return pass_unless(H::refuse_unread::<A>(&skb, l3));
    };
    let verdict = decide::<H, A>(skb, packet, work);
    carry_out(skb, packet, verdict, &work.exit, framing)
}

// Not inlined, as the module says.
#[inline(never)]
fn read<A: Stored>(
    skb: Skb,
    l3: u32,
    packet: &mut MaybeUninit<Packet<A>>,
) -> Option<&mut Packet<A>> {
    parse_l3(&Head(skb), l3).ok().map(|parsed| packet.write(parsed))
}

// Not inlined, as the module says.
#[inline(never)]
fn decide<H: Hook, A: Stored>(skb: Skb, packet: &mut Packet<A>, work: &mut Work<A>) -> Verdict {
    H::decide(&skb, packet, work)
}
