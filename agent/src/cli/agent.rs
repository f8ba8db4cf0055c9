//! Arguments of `waggle agent`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Places;

/// Arguments of `waggle agent`.
#[derive(Debug, Args)]
pub struct AgentArgs {
    /// Name of this node's Node object.
    #[arg(long, value_name = "NAME")]
    pub node_name: String,
    /// Take objects from the YAML files in this folder, and follow their changes.
    #[arg(long, value_name = "DIR", conflicts_with = "kubeconfig")]
    pub manifests: Option<PathBuf>,
    /// Take objects from the API server that this file names (not in this version).
    ///
    /// Without --manifests and --kubeconfig the API server of the cluster around the process is
    /// meant (not in this version either).
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Settings: a YAML file with the keys delivery (bypass, stack), attach (auto, clsact)
    /// and `logLevel` (error, warn, info, debug, trace).
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the agent keeps its things.
    #[command(flatten)]
    pub places: Places,
    /// Folder of the cgroup v2 hierarchy; without it the mount in /proc/mounts. No program is
    /// attached to it in this version.
    #[arg(long, value_name = "DIR")]
    pub cgroup_root: Option<PathBuf>,
    /// Form of the log on standard error. `RUST_LOG` chooses what is logged.
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    pub log_format: LogFormat,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Why the chosen source of objects is not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The API server by kubeconfig.
    #[error(
        "--kubeconfig {}: this version cannot read from an API server; give --manifests DIR, a \
         folder of YAML files with the objects",
        .0.display()
    )]
    Kubeconfig(PathBuf),
    /// The API server around the process.
    #[error(
        "no source of objects: this version cannot read from the API server of the cluster around \
         it; give --manifests DIR, a folder of YAML files with the objects"
    )]
    InCluster,
    /// The folder is not one.
    #[error("--manifests {}: {cause}; give an existing folder of YAML files", .folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
}

impl AgentArgs {
    /// The folder to take objects from.
    ///
    /// # Errors
    /// When another source is chosen, or the folder cannot be read.
    pub fn source(&self) -> Result<PathBuf, SourceError> {
        let Some(folder) = self.manifests.clone() else {
            return Err(self
                .kubeconfig
                .clone()
                .map_or(SourceError::InCluster, SourceError::Kubeconfig));
        };
        match std::fs::read_dir(&folder) {
            Ok(_) => Ok(folder),
            Err(error) => Err(SourceError::Folder { folder, cause: error.to_string() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn agent(line: &str) -> Result<AgentArgs, clap::Error> {
        let words = ["waggle", "agent"].into_iter().chain(line.split_whitespace());
        Cli::try_parse_from(words).map(|cli| match cli.command {
            Command::Agent(args) => args,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn defaults_are_those_of_the_interface() {
        let args = agent("--node-name a --manifests /").unwrap();
        let places =
            Places { bpf_root: "/sys/fs/bpf/waggle".into(), run_dir: "/run/waggle".into() };
        assert_eq!((args.places, args.log_format), (places, LogFormat::Text));
    }

    #[test]
    fn flags_that_contradict_each_other_are_named() {
        for (line, named) in [
            ("--manifests /", vec!["--node-name"]),
            ("--node-name a --manifests / --kubeconfig f", vec!["--manifests", "--kubeconfig"]),
            ("--node-name a --manifests / --log-format xml", vec!["--log-format", "xml"]),
        ] {
            let message = agent(line).unwrap_err().to_string();
            assert!(named.iter().all(|name| message.contains(name)), "{line}: {message}");
        }
    }

    #[test]
    fn sources_of_later_versions_are_refused_with_a_sentence() {
        for (line, start) in [
            ("--node-name a", "no source of objects: "),
            ("--node-name a --kubeconfig /f", "--kubeconfig /f: "),
            ("--node-name a --manifests /missing", "--manifests /missing: No such file"),
        ] {
            let message = agent(line).unwrap().source().unwrap_err().to_string();
            assert!(message.starts_with(start) && message.contains("give "), "{message}");
        }
    }
}
