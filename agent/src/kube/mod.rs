//! The Kubernetes API as the source of objects.
//!
//! ```text
//! Access -> client -- list, watch --> Follower -- words --> ApiServer -- changes --> engine
//!                     one for each collection    Ledger: names, and what cannot be read
//! ```
//!
//! An object that cannot be read is named and leaves the others alone. Nothing is held but names:
//! an object is on its way for as long as the engine needs to take what matters out of it.

mod access;
mod backoff;
mod collection;
mod decode;
mod failure;
mod follow;
mod health;
mod ledger;
mod lines;
mod requests;
mod source;

pub use access::{Access, AccessError, Entrance};
pub use health::{Contact, Health, Phase};
pub use source::ApiServer;
