//! Socket buffers at tc hooks: reading them, changing them, sending them elsewhere.

mod answer;
mod arrival;
mod buffer;
mod hook;
mod linear;
mod redirect;
mod reset;
mod rewrite;

pub(crate) use answer::answer;
pub(crate) use arrival::{arrival, departure};
pub(crate) use buffer::{HelperFailed, Skb, size};
pub(crate) use hook::{Hook, Scratch, run};
pub(crate) use linear::Head;
pub(crate) use redirect::{Ethernet, to_neighbour, to_peer};
pub(crate) use reset::reset;
pub(crate) use rewrite::{related, rewrite};
