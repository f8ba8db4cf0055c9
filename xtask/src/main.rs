//! `cargo xtask`: everything a developer or CI does with this workspace.

mod bench;
mod build;
mod demo;
mod diff;
mod interrupt;
mod lint;
mod pins;
mod progress;
mod random;
mod setup;
mod test;
mod upstream;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::conntrack;

/// Sets up, builds, shows, tests and lints Waggle.
#[derive(Parser)]
#[command(name = "xtask", bin_name = "cargo xtask", version)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Finds or installs what is needed to compile eBPF; instant when nothing is missing.
    Setup(setup::Args),
    /// Builds the kernel programs, the agent `waggle` and the CNI plugin `waggle-cni`.
    Build(build::Args),
    /// Makes two nodes with pods on this machine and shows Services at work. Needs root.
    Demo(demo::Args),
    /// Measures what a packet and a connection cost, side by side with Linux alone and with
    /// netfilter. Needs root.
    Bench(bench::Args),
    /// Runs the test tiers and compares their minutes with docs/testing.md.
    Test(test::Args),
    /// Builds kube-proxy, an API server, etcd and cnitool from their Go modules, which comparisons and
    /// the CNI plugin's suite need; instant when they are there.
    Upstream(upstream::Args),
    /// Checks format, clippy, dependencies, file sizes, crate arrows and help texts.
    Lint(lint::Args),
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let inside = xtask::run_inside(&arguments).or_else(|| bench::run_inside(&arguments));
    if let Some(outcome) = inside.or_else(|| diff::run_inside(&arguments)) {
        return exit_code(outcome.map(|()| ExitCode::SUCCESS));
    }
    exit_code(match Cli::parse().verb {
        Verb::Setup(args) => setup::run(&args).map(|()| ExitCode::SUCCESS),
        Verb::Build(args) => build::run(&args).map(|()| ExitCode::SUCCESS),
        Verb::Demo(args) => demo::run(&args),
        Verb::Bench(args) => bench::run(&args),
        Verb::Test(args) => test::run(&args),
        Verb::Upstream(args) => upstream::run(&args).map(|()| ExitCode::SUCCESS),
        Verb::Lint(args) => lint::run(&args),
    })
}

fn exit_code(outcome: anyhow::Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        progress::say(&format!("error: {error:#}"));
        ExitCode::FAILURE
    })
}
