//! What the suites share: a node without a kernel, maps that are checked at each write, and objects
//! with only the fields that matter.

pub(crate) mod cluster;
pub(crate) mod node;
pub(crate) mod objects;
pub(crate) mod packets;
pub(crate) mod random;
pub(crate) mod view;
pub(crate) mod watched;
