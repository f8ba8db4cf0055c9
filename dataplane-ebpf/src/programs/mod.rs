//! The programs, one per hook. Their names are those of `dataplane_common::abi::names`.

mod from_l3dev;
mod from_netdev;
mod from_pod;
mod sock_connect;
mod sock_getpeername;
mod sock_recvmsg;
mod sock_sendmsg;
mod to_l3dev;
mod to_netdev;
mod to_pod;
