//! Whose address a backend sees.

use serde::{Deserialize, Serialize};

/// Which flows from outside keep their client's address, though their traffic policy is Cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeepClientIp {
    /// None: every backend sees the node's address, wherever it is.
    #[default]
    None,
    /// Those to backends of the node they come in at.
    Local,
}
