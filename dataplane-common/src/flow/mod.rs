//! What becomes of a packet: a function for its first hook and one for its last, and the steps they
//! share.
//!
//! ```text
//! arrive    hairpin::undo -> conntrack::find ------------------------------------> deliver
//!                                | miss: select::{frontend,choose} -> create ---------^
//! leave     outside::known -> what the stack was not to see, hairpin::apply
//! ```
//!
//! A flow is delivered one of two ways, chosen when it is created. *Bypass*: the first hook does
//! all translation and redirects. *Stack*: the first hook translates what clients send, the last
//! hook what they are answered, so that the host's stack and its netfilter see client and backend
//! in both directions.
//!
//! A packet of a bypass flow goes the stack's way only where it cannot be redirected, and the last
//! hook completes it like any other. It is no way for whole flows: netfilter, which sees none of
//! the packets that are redirected, may take the others for invalid. What must see netfilter is a
//! flow of the second kind from its first packet on.

pub(crate) mod affinity;
mod arrival;
mod arrive;
mod choice;
pub(crate) mod cluster_ip;
#[cfg(test)]
mod collisions;
mod conntrack;
mod create;
mod deliver;
#[cfg(test)]
mod departed;
mod direct;
#[cfg(test)]
mod entrances;
#[cfg(test)]
pub(crate) mod fake;
mod fragments;
mod gone;
mod guard;
mod hairpin;
pub(crate) mod host_port;
mod leave;
#[cfg(test)]
mod lifetimes;
#[cfg(test)]
mod masquerade;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod middle;
#[cfg(test)]
mod outcome;
mod outside;
pub(crate) mod policy;
#[cfg(test)]
mod races;
mod related;
#[cfg(test)]
mod sctp;
pub(crate) mod select;
mod sender;
mod source;
mod tables;
mod tunnel;
#[cfg(test)]
mod turns;
#[cfg(test)]
mod uniform;
mod verdict;
#[cfg(test)]
mod walks;
mod work;
#[cfg(test)]
mod world;

pub use arrival::{Arrival, Departure, Ingress};
pub use arrive::arrive;
pub use choice::Choice;
pub use guard::{refuse_frame, refuse_unread};
pub use leave::leave;
pub use sender::Sender;
pub use tables::{Env, FlowTable, Inserted, Route, ServiceTables, Tables};
pub use verdict::{Answer, Exit, Related, Rewrite, Verdict};
pub use work::Work;
