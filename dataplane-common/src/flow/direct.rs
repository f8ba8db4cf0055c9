//! A connection to a backend itself, or datagrams to it, by the very tuple that a live flow of the
//! same client has towards it: it gets a source port of its own, as any flow does whose tuple another
//! has.

use super::arrival::Ingress;
use super::create::{self, Client};
use super::{Arrival, Choice, Env, Tables, Work};
use crate::abi::{Address, BackendId, Delivery, DropReason, NetnsId, Slot, SlotFlags};

/// Drafts the flow of a packet that goes where it is addressed. By the stack: the flow is translated
/// for no other reason than its port, so that netfilter has a say as in any direct connection.
// Not inlined: rare, and its stack is needed elsewhere.
#[inline(never)]
pub(super) fn draft<A: Address>(
    arrival: &Arrival,
    tables: &impl Tables<A>,
    env: &impl Env,
    work: &mut Work<A>,
) -> Result<(), DropReason> {
    work.choice = Choice::default();
    work.choice.slot = Slot {
        addr: work.key.dst.widen(),
        port: work.key.dport,
        generation: 0,
        backend: BackendId::NONE,
        flags: SlotFlags::default(),
    };
    let is_pod = matches!(arrival.by, Ingress::Pod);
    // Its own socket is the one that would be found.
    let client = Client { takes_bypass: false, is_pod, is_here: is_pod, netns: NetnsId::default() };
    create::draft(client, Delivery::Stack, tables, env, work)?;
    if work.key.proto.keeps_ports() {
        return Err(DropReason::NoSourcePort);
    }
    // Its own is taken, or would be taken for that of another in the stack.
    work.ports.next();
    if work.ports.port() == work.key.sport {
        work.ports.next();
    }
    Ok(())
}
