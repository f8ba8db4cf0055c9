//! What is wrong with a configuration, and where.

use std::path::{Path, PathBuf};

use serde_saphyr::Location;

/// Why a configuration file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("failed to read the configuration {path}: {source}; check the path of --config")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{path}:{line}:{column}: {cause}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Line of the offending text, from 1.
        line: u64,
        /// Column of the offending text, from 1.
        column: u64,
        /// What is wrong, and what would be right.
        cause: String,
    },
}

impl ConfigError {
    /// Of a text that is not of the form it should have.
    pub(super) fn of_form(path: &Path, error: &serde_saphyr::Error) -> Self {
        let described = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
        // The position stands in front of the message already.
        let cause = described.split(" at line ").next().unwrap_or_default().to_owned();
        Self::at(path, error.location().unwrap_or(Location::UNKNOWN), cause)
    }

    /// Of something at a place in the text.
    pub(super) fn at(path: &Path, place: Location, cause: String) -> Self {
        let [line, column] = [place.line(), place.column()].map(|number| number.max(1));
        Self::Invalid { path: path.into(), line, column, cause }
    }
}
