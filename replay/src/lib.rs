//! An API server without a cluster: it holds objects, lists and watches them as Kubernetes does, and
//! plays faults that are put before its answers. For tests and measurements.
//!
//! ```text
//! put, remove -> Objects (versions, log) -> list, watch -> HTTP over any stream of bytes
//!                         fault: Answer, taken first ---^
//! ```

mod answer;
mod fleet;
mod http;
mod objects;
mod query;
mod resource;
mod server;

pub use answer::{Answer, Piece};
pub use fleet::{fleet, kubeconfig, manifest};
pub use query::Query;
pub use resource::{Resource, Verb};
pub use server::Server;
