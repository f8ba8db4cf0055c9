//! How it stands with the API server, for status.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How it stands with the API server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// Its address.
    pub address: String,
    /// How it stands with each collection.
    pub collections: Vec<Contact>,
}

/// How it stands with one collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Contact {
    /// The collection, as roles name it.
    pub resource: String,
    /// What is going on.
    pub phase: Phase,
    /// Since when it is in this phase.
    pub since: Timestamp,
    /// When an object last changed.
    pub last_event: Option<Timestamp>,
    /// What is known is of this version.
    pub resource_version: Option<String>,
    /// When that version was last heard of: how old it may be.
    pub version_at: Option<Timestamp>,
}

/// What is going on with a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It is being listed, or that is being tried for the first time.
    Listing,
    /// It is up to date and followed.
    Watching,
    /// The last request failed. What was known stays.
    Failing,
    /// There is no such collection, or no leave to read it, and all goes on without it.
    Absent,
}

impl Phase {
    /// In a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Listing => "listing",
            Self::Watching => "watching",
            Self::Failing => "failing",
            Self::Absent => "absent",
        }
    }
}

impl Contact {
    pub(super) fn new(resource: &str) -> Self {
        Self {
            resource: resource.to_owned(),
            phase: Phase::Listing,
            since: Timestamp::now(),
            last_event: None,
            resource_version: None,
            version_at: None,
        }
    }

    pub(super) fn enter(&mut self, phase: Phase) {
        if self.phase != phase {
            (self.phase, self.since) = (phase, Timestamp::now());
        }
    }

    pub(super) fn reach(&mut self, version: String) {
        (self.resource_version, self.version_at) = (Some(version), Some(Timestamp::now()));
    }
}
