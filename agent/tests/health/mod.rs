//! How the node is told to be: over sockets, and as objects make it.

mod counts;
mod servers;
