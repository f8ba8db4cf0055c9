//! What a node's proxy is like, told from what is pinned and from the agent's last words: works
//! with and without an agent.

mod contacts;
mod host_clients;
mod report;
mod services;
mod state;
mod text;

use std::process::ExitCode;

use anyhow::Context as _;
use serde::Serialize;

use crate::cli::{Output, ShowArgs};

pub use state::State;

/// Runs `waggle status`.
///
/// # Errors
/// When the node cannot be examined.
pub async fn status(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let report = report::Report::collect(&args.places).await.context("examining this node")?;
    print(args.output, &report, text::report)?;
    Ok(exit_code(report.healthy))
}

/// Runs `waggle service list`.
///
/// # Errors
/// When the node cannot be examined.
pub fn service_list(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let list = services::List::collect(&args.places).context("examining this node's tables")?;
    print(args.output, &list, text::services)?;
    Ok(exit_code(list.problems.is_empty()))
}

fn print<T: Serialize>(form: Output, answer: &T, text: fn(&T) -> String) -> anyhow::Result<()> {
    use std::io::Write as _;

    let text = match form {
        Output::Table => text(answer),
        Output::Json => format!("{}\n", serde_json::to_string_pretty(answer)?),
    };
    std::io::stdout().write_all(text.as_bytes()).context("writing the answer")
}

fn exit_code(is_well: bool) -> ExitCode {
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
