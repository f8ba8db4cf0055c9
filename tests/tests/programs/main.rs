//! The loaded programs, packet by packet: each row runs on the host core too, and both must agree on
//! the packet's fate, its bytes, the conntrack entries and the counters. `tests/budget.toml` records
//! what the programs cost.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod affinity;
mod bypass;
mod cluster_ips;
mod collisions;
mod costs;
mod departed;
mod entrances;
mod errors;
mod fragments;
mod framing;
mod guard;
mod masquerade;
mod matrix;
mod middle;
mod object;
mod races;
mod row;
mod sctp;
mod senders;
mod sources;
mod stack;
mod uniform;
