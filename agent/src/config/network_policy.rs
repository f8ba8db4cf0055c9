//! Who enforces NetworkPolicies.

use serde::Deserialize;

/// What is known of NetworkPolicies on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NetworkPolicy {
    /// Who enforces them.
    pub enforced_by: EnforcedBy,
}

/// Who enforces NetworkPolicies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EnforcedBy {
    /// Whoever is seen on the node, else nobody, which is told.
    #[default]
    Auto,
    /// Somebody who cannot be seen.
    Other,
}
