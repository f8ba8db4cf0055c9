//! What the suites share: a node without a kernel, maps that are checked at each write, and objects
//! with only the fields that matter.
#![allow(dead_code, reason = "each suite uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "what is unexpected fails the test")]

pub(crate) mod node;
pub(crate) mod objects;
pub(crate) mod random;
pub(crate) mod view;
pub(crate) mod watched;
