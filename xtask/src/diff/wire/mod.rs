//! First packets as bytes: written, sent, seen and read.

mod ear;
mod frame;
mod init;
mod link;
mod sight;
mod tap;

pub(super) use ear::Ear;
pub(super) use frame::{Opening, datagram};
pub(super) use init::init;
pub(super) use sight::{Sight, read};
pub(super) use tap::Tap;
