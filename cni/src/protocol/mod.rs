//! The protocol between container runtime and plugin: environment and standard input in, one JSON
//! object out (CNI specification, 1.1.0).

mod args;
mod config;
mod environment;
mod error;
mod port_mapping;
mod request;
mod result;
mod version;
mod wishes;

pub(crate) use args::PodName;
pub(crate) use config::{LOG, NetConf, RUN_DIR};
pub use environment::Environment;
pub(crate) use error::{Code, Error};
pub(crate) use port_mapping::PortMapping;
pub(crate) use request::{Attachment, Request};
pub(crate) use result::{PodAddress, PodNetwork};
pub(crate) use version::Version;
pub(crate) use wishes::{IpRange, Wishes};
