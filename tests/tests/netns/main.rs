//! Waggle on two nodes in namespaces: what a packet meets between one pod's socket and another's.

mod alongside;
mod cluster;
mod errors;
mod hops;
mod leftovers;
mod lifecycle;
mod machine;
mod mtu;
mod services;
mod socket;
mod stream;
mod underlay;
mod walks;
