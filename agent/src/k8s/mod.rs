//! Kubernetes objects in, specs out: here, and nowhere else, their defaults and oddities are known.

mod addresses;
mod endpoint_slice;
mod endpoints;
mod event;
mod network_policy;
mod node;
mod object;
mod reading;
mod service;
mod service_cidr;
mod trigger;

pub use event::Event;
pub use network_policy::NetworkPolicy;
pub use object::{Change, Kind, Object, ObjectRef, Resource, Spec};
pub use reading::Reading;
pub(crate) use reading::{ANOTHERS, HEADLESS};
pub use trigger::Trigger;
