//! tc ingress at a device without link-layer headers (wireguard, tun, ppp): as `from_netdev`.
//!
//! A program of its own because nothing in a packet tells how it begins: the two bytes where an
//! Ethernet header has its type are, without one, part of a sender's address.

use aya_ebpf::macros::classifier;
use aya_ebpf::programs::TcContext;
use dataplane_common::packet::Framing;

use super::from_netdev::FromNetdev;
use crate::skb::run;

#[classifier]
fn from_l3dev(ctx: TcContext) -> i32 {
    run::<FromNetdev>(ctx, Framing::Ip)
}
