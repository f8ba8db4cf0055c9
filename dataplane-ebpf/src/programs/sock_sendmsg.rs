//! cgroup hook at sendmsg of UDP sockets that are not connected: each datagram to a frontend goes to
//! the socket's backend behind it.

use aya_ebpf::macros::cgroup_sock_addr;
use aya_ebpf::programs::SockAddrContext;
use dataplane_common::abi::Address;
use dataplane_common::flow::Choice;
use dataplane_common::socket::{self, Call, Decision};

use crate::env::KernelEnv;
use crate::sock::{Forward, Peer4, Peer6, Tables, ask};

#[cgroup_sock_addr(sendmsg4)]
fn sendmsg4(ctx: SockAddrContext) -> i32 {
    ask::<Send, Peer4>(&ctx)
}

#[cgroup_sock_addr(sendmsg6)]
fn sendmsg6(ctx: SockAddrContext) -> i32 {
    ask::<Send, Peer6>(&ctx)
}

struct Send;

impl Forward for Send {
    #[inline(always)]
    fn decide<A: Address>(
        call: &Call<A>,
        tables: &Tables,
        env: &KernelEnv,
        choice: &mut Choice,
    ) -> Decision {
        socket::send(call, tables, env, choice)
    }
}
