//! tc egress at a device without link-layer headers (wireguard, tun, ppp): as `to_netdev`.

use aya_ebpf::macros::classifier;
use aya_ebpf::programs::TcContext;
use dataplane_common::packet::Framing;

use super::to_netdev::leave;

#[classifier]
fn to_l3dev(ctx: TcContext) -> i32 {
    leave(ctx, Framing::Ip)
}
