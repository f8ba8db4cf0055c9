//! How this node's proxy is, told to load balancers, kubelets and monitoring as kube-proxy tells it.
//!
//! ```text
//! agent's loop -- rounds, checks, Node --> Vitals <-- asked by -- Servers, on a thread of their own
//! ```
//!
//! The servers share nothing with the agent's loop but [`Vitals`], which nobody holds for long: while
//! the kernel keeps a write of the loop waiting they answer, and say so.

mod bodies;
mod proxy;
mod servers;
mod vitals;
mod wanted;

pub use crate::moment::Moment;
pub use proxy::{FamilyHealth, ProxyHealth, ProxyState};
pub use servers::Servers;
pub use vitals::Vitals;
pub use wanted::{Binds, Purpose, listen_addresses, problems};

#[cfg(test)]
mod tests;
