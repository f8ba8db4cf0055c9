//! From objects to what shall be served: a store of specs, who wins an address, and the choice of
//! endpoints. No clock, no maps.

mod choose;
mod claims;
mod desired;
mod frontends;
mod sources;
mod store;
mod topology;

pub use choose::{Here, Needs, choose};
pub use desired::{Desired, FamilyPort};
pub use store::{Dirty, Store};
