//! The host's network: what only a kernel can show, in namespaces of threads.

mod bench;
mod hook;
mod qdisc;
mod route;
