//! cgroup hook at connect: a frontend becomes one of its backends, for all of the connection's life.

use aya_ebpf::macros::cgroup_sock_addr;
use aya_ebpf::programs::SockAddrContext;
use dataplane_common::abi::Address;
use dataplane_common::flow::Choice;
use dataplane_common::socket::{self, Call, Decision};

use crate::env::KernelEnv;
use crate::sock::{Forward, Peer4, Peer6, Tables, ask};

#[cgroup_sock_addr(connect4)]
fn connect4(ctx: SockAddrContext) -> i32 {
    ask::<Connect, Peer4>(&ctx)
}

#[cgroup_sock_addr(connect6)]
fn connect6(ctx: SockAddrContext) -> i32 {
    ask::<Connect, Peer6>(&ctx)
}

struct Connect;

impl Forward for Connect {
    #[inline(always)]
    fn decide<A: Address>(
        call: &Call<A>,
        tables: &Tables,
        env: &KernelEnv,
        choice: &mut Choice,
    ) -> Decision {
        socket::connect(call, tables, env, choice)
    }
}
