//! What becomes of a packet.

mod tables;
mod verdict;

pub use tables::{Env, FlowTable, Inserted, Route, Tables};
pub use verdict::{Answer, Related, Rewrite, Verdict};
