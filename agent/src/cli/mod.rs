//! The command line: what `waggle` understands, and nothing of what it does.

mod agent;
mod output;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use agent::{AgentArgs, LogFormat};
pub use output::{Output, table};

/// eBPF service proxy and pod network of a Kubernetes node.
#[derive(Debug, Parser)]
#[command(name = "waggle", version, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Keep this node's service tables, programs and routes as the cluster's objects want them.
    ///
    /// Runs until SIGTERM or SIGINT. Programs, tables and routes stay in place when it ends, so
    /// traffic is served without it; the next start takes them over as they are.
    Agent(Box<AgentArgs>),
    /// Show whether this node's proxy works, and with what.
    ///
    /// Ends with status 1 when something is wrong.
    Status(ShowArgs),
    /// Look at Services.
    #[command(subcommand)]
    Service(ServiceCommand),
    /// Remove everything of ours from this node: links, filters, programs, tables and routes.
    ///
    /// The interfaces of pods are left alone, so pods keep their network but lose their Services.
    Cleanup(CleanupArgs),
}

/// What to do with Services.
#[derive(Debug, Subcommand)]
pub enum ServiceCommand {
    /// List every ServicePort of this node's tables with its frontends and backends.
    ///
    /// Ends with status 1 when the tables differ from what the agent last wrote.
    List(ShowArgs),
}

/// Where an agent keeps its things.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Places {
    /// Folder on a BPF file system for pinned tables, programs and links.
    #[arg(long, value_name = "DIR", default_value = "/sys/fs/bpf/waggle")]
    pub bpf_root: PathBuf,
    /// Folder for the agent's lock and state.
    #[arg(long, value_name = "DIR", default_value = "/run/waggle")]
    pub run_dir: PathBuf,
}

/// Arguments of verbs that only show.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Where the agent keeps its things.
    #[command(flatten)]
    pub places: Places,
    /// Form of the answer.
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    pub output: Output,
}

/// Arguments of `waggle cleanup`.
#[derive(Debug, Args)]
pub struct CleanupArgs {
    /// Where the agent keeps its things.
    #[command(flatten)]
    pub places: Places,
    /// Remove even while an agent runs, which ends when it notices.
    #[arg(long)]
    pub force: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_argument_and_verb_has_help() {
        let mut left = vec![Cli::command()];
        while let Some(command) = left.pop() {
            assert!(command.get_about().is_some(), "{} has no help", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} has no help", argument.get_id());
            }
            left.extend(command.get_subcommands().cloned());
        }
    }
}
