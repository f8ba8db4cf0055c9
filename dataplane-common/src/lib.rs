//! Everything that decides about a packet, and the layout of the maps it reads.
//!
//! The kernel programs, the host tests, the agent and later tools run the same functions; what
//! differs is where bytes, tables, clock and random numbers come from.
//!
//! ```text
//! bytes --packet::parse--> Packet --flow::{arrive,leave}--> Verdict, Exit
//!                                      |  reads and writes
//!                                      '--> flow::Tables (services, slots, backends, flows, pods)
//! ```
#![cfg_attr(not(test), no_std)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::wildcard_enum_match_arm
    )
)]

pub mod abi;
pub mod flow;
pub mod packet;
pub mod socket;
