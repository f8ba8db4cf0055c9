//! Why an operation on a map failed.

use std::io;

use dataplane_common::abi::names;

/// Outcome of an operation on a map.
pub type Result<T, E = ApplyError> = std::result::Result<T, E>;

/// Why an operation on a map failed. All are worth another try.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The map takes no more entries.
    #[error("map {map} is full{}; remove some", room(map))]
    Full {
        /// Name of the map.
        map: &'static str,
    },
    /// There is no such entry.
    #[error("map {map} has no such entry")]
    NotFound {
        /// Name of the map.
        map: &'static str,
    },
    /// The kernel refused.
    #[error("failed to {operation} map {map}: {source}")]
    Kernel {
        /// Name of the map.
        map: &'static str,
        /// What was tried: `read`, `write to` or `delete from`.
        operation: &'static str,
        /// What the kernel answered.
        source: io::Error,
    },
}

/// How many entries a map takes, where entries are what there may be too many of.
fn room(map: &str) -> String {
    let most = match map {
        names::SERVICES => names::MAX_SERVICES,
        names::SOURCES => names::MAX_SOURCES,
        names::NETWORKS => names::MAX_NETWORKS,
        names::LINKS => names::MAX_LINKS,
        names::PODS => names::MAX_PODS,
        _ => return String::new(),
    };
    format!(": it takes {most} entries")
}
