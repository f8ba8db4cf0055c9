//! Addresses for pods, from the node's own ranges, without anybody's help.
//!
//! ```text
//! Store ── lock, read ──> Table ── Pool::allocate / release ──> Table ── Store ── write, rename
//! ```
//! [`Pool`] and [`Table`] are pure: time is an argument. The kernel is the second witness: when the
//! file is lost while pods live, the table is rebuilt from their links and routes.

mod pool;
mod range;
mod sight;
mod store;
mod table;

pub(crate) use pool::{Pool, Refusal};
pub(crate) use range::RangeSet;
pub(crate) use sight::Sight;
pub(crate) use store::{LOCK_DEADLINE, Locked, Store, StoreError};
pub(crate) use table::{Lease, Phase, Table};

#[cfg(test)]
mod life_tests;
