//! cgroup hook at connect: a frontend becomes one of its backends, for all of the connection's life.

use aya_ebpf::macros::cgroup_sock_addr;
use aya_ebpf::programs::SockAddrContext;

use crate::sock::{Peer4, Peer6, ask};

#[cgroup_sock_addr(connect4)]
fn connect4(ctx: SockAddrContext) -> i32 {
    ask::<Peer4>(&ctx)
}

#[cgroup_sock_addr(connect6)]
fn connect6(ctx: SockAddrContext) -> i32 {
    ask::<Peer6>(&ctx)
}
