//! Entry.

use std::process::ExitCode;

use clap::Parser as _;
use waggle_agent::cli::{Cli, Command, ServiceCommand};
use waggle_agent::{cleanup, run, status};

#[expect(clippy::print_stderr, reason = "the last word on why the program ends")]
fn main() -> ExitCode {
    let outcome = perform(Cli::parse().command);
    outcome.unwrap_or_else(|error| {
        eprintln!("waggle: {}", sentence(&error));
        ExitCode::FAILURE
    })
}

fn perform(command: Command) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Agent(args) => run::run(*args).await,
            Command::Status(args) => status::status(&args).await,
            Command::Service(ServiceCommand::List(args)) => status::service_list(&args),
            Command::Cleanup(args) => cleanup::cleanup(&args).await,
        }
    })
}

/// An error with its causes, without those that it quotes itself.
fn sentence(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| {
        match (text.is_empty(), text.contains(&cause)) {
            (true, _) => cause,
            (false, true) => text,
            (false, false) => format!("{text}: {cause}"),
        }
    })
}
