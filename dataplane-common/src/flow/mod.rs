//! What becomes of a packet: one function for each hook, and the steps they share.
//!
//! ```text
//! from_pod     hairpin::undo -> conntrack::find ----------------------> deliver
//!                                   | miss: select -> create -------------^
//! from_netdev                   conntrack::find -> deliver (to local clients of bypass flows)
//! to_pod                        conntrack::find -> reverse translation, hairpin::apply
//! ```
//!
//! A flow is delivered one of two ways, chosen when it is created. *Bypass*: the first hook does
//! all translation and redirects. *Stack*: the first hook translates what clients send, the last
//! hook (`to_pod`) what they are answered, so that the host's stack and its netfilter see client
//! and backend in both directions.
//!
//! A packet of a bypass flow goes the stack's way only where it cannot be redirected, and `to_pod`
//! completes it like any other. It is no way for whole flows: netfilter, which sees none of the
//! packets that are redirected, may take the others for invalid. What must see netfilter is a flow
//! of the second kind from its first packet on.

mod affinity;
mod arrival;
mod choice;
mod conntrack;
mod create;
mod deliver;
#[cfg(test)]
mod fake;
mod from_netdev;
mod from_pod;
mod hairpin;
#[cfg(test)]
mod lifetimes;
pub(crate) mod policy;
#[cfg(test)]
mod races;
mod related;
pub(crate) mod select;
mod sender;
mod tables;
mod to_pod;
mod verdict;
#[cfg(test)]
mod walks;
mod work;
#[cfg(test)]
mod world;

pub use arrival::Arrival;
pub use choice::Choice;
pub use from_netdev::from_netdev;
pub use from_pod::from_pod;
pub use sender::Sender;
pub use tables::{Env, FlowTable, Inserted, Route, ServiceTables, Tables};
pub use to_pod::to_pod;
pub use verdict::{Answer, Related, Rewrite, Verdict};
pub use work::Work;
