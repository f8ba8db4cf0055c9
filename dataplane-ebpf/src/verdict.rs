//! From a verdict to a tc action: the one place where packets are counted.

use dataplane_common::abi::{Counter, DropReason, PathTaken};
use dataplane_common::flow::{Answer, Exit, Verdict};
use dataplane_common::packet::{Framing, Packet};

use crate::family::Stored;
use crate::maps;
use crate::skb::{self, Ethernet, HelperFailed, Skb};

/// `TC_ACT_UNSPEC`, which is also `TCX_NEXT`: whoever else is attached has a say.
const NEXT: i32 = -1;
/// `TC_ACT_SHOT`.
const DROP: i32 = 2;

/// Leaves alone what nobody here understands.
#[inline(always)]
pub(crate) fn pass() -> i32 {
    maps::count(Counter::Path(PathTaken::Passed));
    NEXT
}

/// Leaves alone what is not to be decided about here, uncounted.
#[inline(always)]
pub(crate) const fn leave_alone() -> i32 {
    NEXT
}

/// Leaves alone what nobody here understands, unless there is a reason not to.
#[inline(always)]
pub(crate) fn pass_unless(reason: Option<DropReason>) -> i32 {
    let Some(reason) = reason else {
        return pass();
    };
    maps::count(Counter::Drop(reason));
    DROP
}

/// Does to a packet what was decided.
// Not inlined: a step of its own, as `skb::hook` has it.
#[inline(never)]
pub(crate) fn carry_out<A: Stored>(
    skb: Skb,
    packet: &Packet<A>,
    verdict: Verdict,
    exit: &Exit<A>,
    framing: Framing,
) -> i32 {
    let (counter, action) = match outcome(skb, packet, verdict, exit, framing) {
        Ok((path, action)) => (Counter::Path(path), action),
        Err(reason) => (Counter::Drop(reason), DROP),
    };
    maps::count(counter);
    action
}

#[inline(always)]
fn outcome<A: Stored>(
    skb: Skb,
    packet: &Packet<A>,
    verdict: Verdict,
    exit: &Exit<A>,
    framing: Framing,
) -> Result<(PathTaken, i32), DropReason> {
    let failed = |HelperFailed| DropReason::RewriteFailed;
    match verdict {
        Verdict::Pass => Ok((PathTaken::Passed, NEXT)),
        Verdict::Stack => {
            skb::rewrite(skb, packet, &exit.rewrite).map_err(failed)?;
            Ok((PathTaken::Stack, NEXT))
        }
        Verdict::Peer => {
            skb::rewrite(skb, packet, &exit.rewrite).map_err(failed)?;
            let header = Ethernet { dst: exit.pod_mac, src: exit.host_mac };
            let action = skb::to_peer::<A>(skb, framing, packet.l3, exit.ifindex, &header);
            Ok((PathTaken::Peer, action.map_err(failed)?))
        }
        Verdict::Neighbour => {
            skb::rewrite(skb, packet, &exit.rewrite).map_err(failed)?;
            let action = skb::to_neighbour(skb, framing, packet.l3, exit.ifindex, exit.next_hop);
            Ok((PathTaken::Neighbour, action.map_err(failed)?))
        }
        Verdict::Related => {
            skb::related(skb, packet, &exit.related).map_err(failed)?;
            Ok((PathTaken::Stack, NEXT))
        }
        Verdict::Answer | Verdict::Reset => {
            let (path, action) = if matches!(verdict, Verdict::Reset) {
                (PathTaken::AnsweredReset, skb::reset(skb, packet, framing))
            } else {
                (path(&exit.answer), skb::answer(skb, packet, framing, &exit.answer))
            };
            Ok((path, action.map_err(|HelperFailed| DropReason::AnswerFailed)?))
        }
        Verdict::Drop(reason) => Err(reason),
    }
}

#[inline(always)]
const fn path(answer: &Answer) -> PathTaken {
    match answer {
        Answer::TooBig { .. } => PathTaken::AnsweredTooBig,
        Answer::PortUnreachable => PathTaken::AnsweredUnreachable,
    }
}
