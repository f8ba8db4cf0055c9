//! The file of `--config`: our own strict YAML. A key that is not known is an error, not a guess.

use std::path::{Path, PathBuf};

use dataplane_common::abi;
use hostnet::hook::Choice;
use serde::{Deserialize, Serialize};

use crate::devices::Selection;

/// Settings of the file, with the values they have where it does not name them.
#[derive(Clone, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// How packets of translated flows reach their next hop.
    pub delivery: Delivery,
    /// How programs are attached to devices.
    pub attach: Attach,
    /// Which devices are served: patterns as `--devices` takes them.
    pub devices: Selection,
    /// What is logged, where the environment variable `RUST_LOG` does not say.
    pub log_level: LogLevel,
    /// Which flows from outside keep their client's address, though their traffic policy is Cluster.
    #[serde(rename = "keepClientIP")]
    pub keep_client_ip: KeepClientIp,
}

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

/// How packets of translated flows reach their next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    /// Redirected at the first hook, past the host's stack and its netfilter.
    #[default]
    Bypass,
    /// Routed by the host's stack.
    Stack,
}

impl Delivery {
    /// The mode's name, as the file has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Stack => "stack",
        }
    }
}

impl From<Delivery> for abi::Delivery {
    fn from(delivery: Delivery) -> Self {
        match delivery {
            Delivery::Bypass => Self::Bypass,
            Delivery::Stack => Self::Stack,
        }
    }
}

/// How programs are attached to devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Attach {
    /// By TCX where the kernel has it, else as filters.
    #[default]
    Auto,
    /// As filters of the device's clsact queueing discipline.
    Clsact,
}

impl From<Attach> for Choice {
    fn from(attach: Attach) -> Self {
        match attach {
            Attach::Auto => Self::Best,
            Attach::Clsact => Self::Filter,
        }
    }
}

/// The least severe message that is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// What failed.
    Error,
    /// What is wrong and worked around.
    Warn,
    /// What changed.
    #[default]
    Info,
    /// What was decided.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The level's name, as a log filter takes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

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

impl Config {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read or holds anything that is not known.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.into(), source })?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        if text.lines().all(|line| line.trim().is_empty() || line.trim().starts_with('#')) {
            return Ok(Self::default());
        }
        let options = serde_saphyr::options! { with_snippet: false };
        serde_saphyr::from_str_with_options(text, options).map_err(|error| invalid(path, &error))
    }
}

fn invalid(path: &Path, error: &serde_saphyr::Error) -> ConfigError {
    let (line, column) =
        error.location().map_or((1, 1), |location| (location.line(), location.column()));
    let described = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
    // The position stands in front of the message already.
    let cause = described.split(" at line ").next().unwrap_or_default().to_owned();
    ConfigError::Invalid { path: path.into(), line, column, cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_right_are_taken() {
        let full = Config {
            delivery: Delivery::Stack,
            attach: Attach::Clsact,
            devices: "eth*,!eth9".parse().unwrap(),
            log_level: LogLevel::Debug,
            keep_client_ip: KeepClientIp::Local,
        };
        for (text, config) in [
            ("", Config::default()),
            ("# nothing yet\n", Config::default()),
            ("delivery: stack\n", Config { delivery: Delivery::Stack, ..Config::default() }),
            (
                "delivery: stack\nattach: clsact\ndevices: eth*,!eth9\nlogLevel: debug\nkeepClientIP: local\n",
                full,
            ),
        ] {
            assert_eq!(Config::parse(Path::new("c.yaml"), text).unwrap(), config, "{text}");
        }
    }

    #[test]
    fn files_that_are_wrong_are_refused_with_their_position() {
        for (text, position, cause) in [
            ("delivery: teleport\n", "1:11", "unknown variant `teleport`, expected one of bypass"),
            ("attach: clsact\ndelivry: stack\n", "2:1", "unknown field `delivry`, expected one of"),
            ("devices: a,,b\n", "1:10", "the device pattern \"\" names no device"),
            ("attach: [auto]\n", "1:9", "externally tagged enum expected scalar or mapping"),
            ("delivery: bypass\n  attach: auto\n", "1:11", "unknown variant `bypass attach`"),
            ("delivery: bypass\ndelivery: stack\n", "2:1", "duplicate mapping key `delivery`"),
            ("- delivery\n", "1:1", "expected mapping start"),
            ("delivery: bypass\n---\n{}\n", "3:1", "only single YAML document expected"),
        ] {
            let message = Config::parse(Path::new("c.yaml"), text).unwrap_err().to_string();
            let expected = format!("c.yaml:{position}: {cause}");
            assert!(message.starts_with(&expected), "{message}");
        }
    }
}
