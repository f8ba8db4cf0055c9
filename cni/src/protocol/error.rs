//! Failures as the runtime is told of them.

use std::fmt;

use serde_json::{Value, json};

/// A failed request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) struct Error {
    /// The number the runtime may act upon.
    pub(crate) code: Code,
    /// What failed, in a sentence.
    pub(crate) message: String,
    /// More about it; may be empty.
    pub(crate) details: String,
}

/// What kind of failure it is: numbers below 100 are the specification's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Code {
    /// The configuration's version is not answered, or does not have the verb.
    IncompatibleVersion,
    /// A variable of the environment is missing or wrong.
    Environment,
    /// A file, a device or the kernel refused.
    Io,
    /// Standard input is not what it must be.
    Decode,
    /// The network's configuration is wrong.
    Config,
    /// The same request may succeed later.
    TryAgain,
    /// No request can succeed at the moment.
    Unavailable,
    /// Every address of this node is in use.
    Exhausted,
    /// CHECK: the pod's network is not what ADD made.
    Damaged,
    /// Something that is not ours stands where we must build.
    Occupied,
}

impl Code {
    /// The code's number.
    #[must_use]
    pub(crate) const fn number(self) -> u32 {
        match self {
            Self::IncompatibleVersion => 1,
            Self::Environment => 4,
            Self::Io => 5,
            Self::Decode => 6,
            Self::Config => 7,
            Self::TryAgain => 11,
            Self::Unavailable => 50,
            Self::Exhausted => 100,
            Self::Damaged => 101,
            Self::Occupied => 102,
        }
    }
}

impl Error {
    /// A failure without details.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: String::new() }
    }

    /// The failure with details.
    #[must_use]
    pub(crate) fn details(self, details: impl Into<String>) -> Self {
        Self { details: details.into(), ..self }
    }

    /// The failure as JSON, for a request of the given version.
    #[must_use]
    pub(crate) fn to_json(&self, version: &str) -> Value {
        let mut object = json!({
            "cniVersion": version,
            "code": self.code.number(),
            "msg": self.message,
        });
        if !self.details.is_empty() {
            object["details"] = self.details.as_str().into();
        }
        object
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if !self.details.is_empty() {
            write!(f, ": {}", self.details)?;
        }
        Ok(())
    }
}

impl From<hostnet::Error> for Error {
    fn from(error: hostnet::Error) -> Self {
        Self::new(Code::Io, error.to_string())
    }
}
