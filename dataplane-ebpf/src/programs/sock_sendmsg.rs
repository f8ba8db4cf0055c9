//! cgroup hook at sendmsg of UDP sockets that say whom to send to: each datagram to a frontend goes
//! to the socket's backend behind it.

use aya_ebpf::macros::cgroup_sock_addr;
use aya_ebpf::programs::SockAddrContext;

use crate::sock::{Peer4, Peer6, send};

#[cgroup_sock_addr(sendmsg4)]
fn sendmsg4(ctx: SockAddrContext) -> i32 {
    send::<Peer4>(&ctx)
}

#[cgroup_sock_addr(sendmsg6)]
fn sendmsg6(ctx: SockAddrContext) -> i32 {
    send::<Peer6>(&ctx)
}
