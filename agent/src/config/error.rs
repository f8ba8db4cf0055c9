//! What is wrong with a configuration, and where.

use std::path::{Path, PathBuf};

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
        let (line, column) =
            error.location().map_or((1, 1), |location| (location.line(), location.column()));
        let described = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
        // The position stands in front of the message already.
        let cause = described.split(" at line ").next().unwrap_or_default().to_owned();
        Self::Invalid { path: path.into(), line, column, cause }
    }
}
