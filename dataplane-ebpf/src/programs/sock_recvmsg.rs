//! cgroup hook at recvmsg of UDP sockets: a datagram of a backend comes from the frontend that the
//! socket sent to.

use aya_ebpf::macros::cgroup_sock_addr;
use aya_ebpf::programs::SockAddrContext;

use crate::sock::{Peer4, Peer6, tell};

#[cgroup_sock_addr(recvmsg4)]
fn recvmsg4(ctx: SockAddrContext) -> i32 {
    tell::<Peer4>(&ctx)
}

#[cgroup_sock_addr(recvmsg6)]
fn recvmsg6(ctx: SockAddrContext) -> i32 {
    tell::<Peer6>(&ctx)
}
