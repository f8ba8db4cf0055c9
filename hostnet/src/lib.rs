//! hostnet.
