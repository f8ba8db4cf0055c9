//! What every program at a cgroup does: look whose the call is, decide, carry out.

use aya_ebpf::programs::SockAddrContext;
use dataplane_common::abi::{Address, Port, Refusal};
use dataplane_common::flow::Choice;
use dataplane_common::socket::{self, CLOSED_PORT, Call, Decision};

use super::SockAddr;
use super::peer::Peer;
use crate::config::config;
use crate::env::KernelEnv;
use crate::tables::BpfTables;

/// The call goes on.
const ALLOW: i32 = 1;
/// The call fails.
const REFUSE: i32 = 0;

/// What is done to a call whose peer is known.
pub(crate) trait Step {
    fn take<P: Peer, A: Address>(sock: SockAddr, addr: A) -> i32;
}

/// A call by which a process says whom to talk to.
#[inline(always)]
pub(crate) fn ask<P: Peer>(ctx: &SockAddrContext) -> i32 {
    of_node::<Ask, P>(SockAddr::new(ctx))
}

/// A datagram with a peer of its own, as far as the kernel tells.
#[inline(always)]
pub(crate) fn send<P: Peer>(ctx: &SockAddrContext) -> i32 {
    of_node::<Send, P>(SockAddr::new(ctx))
}

/// A call by which a process learns whom it talks to.
#[inline(always)]
pub(crate) fn tell<P: Peer>(ctx: &SockAddrContext) -> i32 {
    of_node::<Tell, P>(SockAddr::new(ctx));
    // The kernel takes no other answer.
    ALLOW
}

#[inline(always)]
fn of_node<S: Step, P: Peer>(sock: SockAddr) -> i32 {
    if sock.is_of_node() { P::step::<S>(sock) } else { ALLOW }
}

struct Ask;

impl Step for Ask {
    #[inline(always)]
    fn take<P: Peer, A: Address>(sock: SockAddr, addr: A) -> i32 {
        let mut choice = Choice::default();
        let decision = socket::ask(&call(sock, addr), &BpfTables(()), &KernelEnv, &mut choice);
        carry_out::<P, A>(sock, decision, &choice)
    }
}

struct Send;

impl Step for Send {
    #[inline(always)]
    fn take<P: Peer, A: Address>(sock: SockAddr, addr: A) -> i32 {
        let mut choice = Choice::default();
        let (peer, port) = P::connected(sock);
        let (call, peer) = (call(sock, addr), (A::narrow(peer), port));
        let decision = socket::send(&call, peer, &BpfTables(()), &KernelEnv, &mut choice);
        carry_out::<P, A>(sock, decision, &choice)
    }
}

struct Tell;

impl Step for Tell {
    #[inline(always)]
    fn take<P: Peer, A: Address>(sock: SockAddr, addr: A) -> i32 {
        let (mut known, mut port) = (addr, Port::new(0));
        if socket::reverse(&call(sock, addr), &BpfTables(()), &mut known, &mut port) {
            P::replace(sock, known.widen(), port);
        }
        ALLOW
    }
}

#[inline(always)]
fn call<A: Address>(sock: SockAddr, addr: A) -> Call<A> {
    Call { cookie: sock.cookie(), addr, port: sock.port(), proto: sock.proto() }
}

#[inline(always)]
fn carry_out<P: Peer, A: Address>(sock: SockAddr, decision: Decision, choice: &Choice) -> i32 {
    match decision {
        Decision::Leave => ALLOW,
        Decision::Translate => {
            P::replace(sock, choice.slot.addr, choice.slot.port);
            ALLOW
        }
        Decision::Refuse => refuse::<P, A>(sock),
    }
}

#[inline(always)]
fn refuse<P: Peer, A: Address>(sock: SockAddr) -> i32 {
    // The verifier leaves out the branch that the configuration does not take, with its helper.
    if config().refusal == Refusal::Error.number() {
        sock.refuse();
        return REFUSE;
    }
    P::replace(sock, A::LOOPBACK.widen(), CLOSED_PORT);
    ALLOW
}
