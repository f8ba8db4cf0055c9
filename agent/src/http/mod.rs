//! Short answers over HTTP/1 to whoever asks, bounded in time, size and number: what a stranger
//! sends, or does not send, keeps nobody else from being answered.
//!
//! ```text
//! Doors -- opens and closes --> socket -- connection --> Handler(path) -> Reply
//!                                 '-- Crowd: the oldest connection makes way
//! ```

mod crowd;
mod doors;
mod reply;
mod serve;
mod socket;

pub use crowd::Crowd;
pub use doors::{Door, Doors, Failures};
pub use reply::Reply;
pub use serve::Handler;
pub use socket::{any_address, every_family, families};
