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
    /// Every address of this node, or the one that is asked for, is in use.
    Exhausted,
    /// CHECK: the pod's network is not what ADD made.
    Damaged,
    /// Something that is not ours stands where we must build.
    Occupied,
    /// A port of the node that is asked for leads to another pod.
    PortTaken,
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
            Self::PortTaken => 103,
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
            "msg": reworded(&self.message),
        });
        if !self.details.is_empty() {
            object["details"] = reworded(&self.details).into();
        }
        object
    }
}

/// What containerd takes for a success when it stands in the failure of a DEL, and what is said in
/// its place.
const MISTAKABLE: [(&str, &str); 2] =
    [("not found", "absent"), ("no such file or directory", "the file does not exist")];

/// A text without anything that is mistaken, whosever words it holds.
fn reworded(text: &str) -> String {
    let mut text = text.to_owned();
    for (mistakable, plain) in MISTAKABLE {
        while let Some(at) = text.to_ascii_lowercase().find(mistakable) {
            text.replace_range(at..at + mistakable.len(), plain);
        }
    }
    text
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_failure_can_be_mistaken_for_a_success() {
        for (said, expected) in [
            ("failed to open x: No such file or directory (os error 2)", None),
            ("link NOT FOUND, key not found", Some("link absent, key absent")),
            ("all is well", Some("all is well")),
        ] {
            let error = Error::new(Code::Io, said).details(said);
            let json = error.to_json("1.0.0");
            let expected =
                expected.unwrap_or("failed to open x: the file does not exist (os error 2)");
            assert_eq!(json["msg"], expected);
            assert_eq!(json["details"], expected);
        }
    }
}
