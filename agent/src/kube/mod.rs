//! The Kubernetes API as the source of objects.
//!
//! ```text
//! Access -> Entrance -- list, watch --> Follower -- words --> ApiServer -- changes --> engine
//!   ^-- read again when refused --'   one for each collection    Mirror: what is known of each
//! ```
//!
//! An object that cannot be read is named and leaves the others alone. Nothing is held but names
//! and versions: an object is on its way for as long as the engine needs to take what matters out
//! of it.

mod access;
mod backoff;
mod collection;
mod condition;
mod decode;
mod entrance;
mod events;
mod failure;
mod follow;
mod health;
mod ledger;
mod lines;
mod mirror;
mod requests;
mod source;
mod version;

pub use access::{Access, AccessError};
pub use entrance::Entrance;
pub use health::{Contact, Health, Phase};
pub use source::ApiServer;
