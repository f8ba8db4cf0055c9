//! Waggle's node agent: objects of a cluster in, service tables, programs and routes of a node out.
//!
//! ```text
//! manifests, kube -> k8s (objects -> specs) -> state (choice of endpoints) -> reconcile (plan) -> maps
//!                                                  |
//!                                  all Nodes: network (devices, tables of networks, node_file, routes to peers)
//! ```
//!
//! [`run`] ties the parts together, [`loader`] brings the kernel programs and tables that they
//! write to, and [`status`] and [`cleanup`] work on what is pinned, without an agent.

pub mod adoption;
pub mod cleanup;
pub mod cli;
pub mod config;
pub mod conntrack;
pub mod detection;
pub mod devices;
pub mod engine;
pub mod forwarding;
pub mod health;
pub mod host_ports;
pub mod http;
pub mod k8s;
pub mod kube;
pub mod loader;
pub mod lock;
pub mod logging;
pub mod manifests;
pub mod maps;
pub mod masquerade;
pub mod metrics;
pub mod model;
pub mod moment;
pub mod mounts;
pub mod network;
pub mod networks;
pub mod node_file;
pub mod node_port_addresses;
pub mod node_ports;
pub mod own_pods;
pub mod peers;
pub mod pods;
mod policies;
pub mod problem;
pub mod reclaim;
pub mod reconcile;
pub mod run;
pub mod service_networks;
mod signs;
pub mod source;
pub mod state;
pub mod status;
pub mod timeouts;
pub mod tunnel;
mod wake;
pub mod whole_file;
