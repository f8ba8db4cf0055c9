//! The CNI plugin as a runtime meets it: environment and standard input in, JSON out, and what the
//! kernel then has. Each test makes a node of its own; namespaces and the BPF file system belong to
//! threads, so nothing outlives the test.

mod add;
mod chain;
mod check;
mod cnitool;
mod contained;
mod crash;
mod del;
mod endure;
mod host;
mod host_ports;
mod inside;
mod kills;
mod plugin;
mod pool;
mod refusals;
mod second;
mod store;
mod tool;
mod tracer;
mod whole;
mod wishes;
