//! NetworkPolicy, of which nothing matters but that it is there.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};

/// As much of a NetworkPolicy as is asked of an API server, which gives that as a kind of its own.
#[derive(Clone, Debug, PartialEq, Default, Deserialize, Serialize)]
pub struct NetworkPolicy {
    /// What every object has.
    pub metadata: ObjectMeta,
}
