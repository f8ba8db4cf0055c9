//! Waggle on two nodes in namespaces: what a packet meets between one pod's socket and another's.

mod alongside;
mod cleanup;
mod cluster;
mod delivery;
mod errors;
mod hops;
mod host_clients;
mod leftovers;
mod lifecycle;
mod machine;
mod mtu;
mod services;
mod socket;
mod stream;
mod underlay;
mod walks;
