//! The Kubernetes API as the source: what a server without a cluster says, and what comes of it.

mod cluster;
mod condition;
mod events;
mod faults;
mod following;
mod malformed;
mod objects;
mod optional;
mod restart;
mod roles;
mod rotation;
mod scale;
mod versions;
