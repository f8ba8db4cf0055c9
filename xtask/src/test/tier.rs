//! The tiers and the cargo commands that run each.

use std::process::Command;

use clap::ValueEnum;

use crate::workspace::cargo;

/// A group of tests with the same needs and a budget of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tier {
    /// Every crate's own tests, also the decision core without its user-space feature.
    Unit,
    /// Manifests in, map contents out, without a kernel.
    Scenarios,
    /// The loaded programs, packet by packet. Needs root.
    Programs,
    /// Nodes and pods in network namespaces. Needs root.
    Netns,
    /// The CNI plugin alone, which `netns` tests too: killed, beside other plugins, driven by cnitool.
    /// Needs root.
    Cni,
    /// Waggle and kube-proxy side by side, asked the same. Needs root.
    Diff,
}

/// The crates that need no privilege, apart from the agent, whose suites are a tier.
const CRATES: &[&str] = &["dataplane-common", "hostnet", "waggle-cni", "xtask"];

/// A suite in tests/ with how many of its tests run at a time.
type Suite = (&'static str, &'static str);

/// Those that load programs and run packets through them one by one.
const PROGRAMS: &[Suite] = &[("programs", "1")];

/// Those that make nodes: tests of one mostly wait, or verify programs; those of clusters have both
/// processors at work.
const NETNS: &[Suite] = &[("agent", "2"), CNI, ("hostnet", "2"), ("netns", "1")];

/// The one of the CNI plugin.
const CNI: Suite = ("cni", "2");

impl Tier {
    /// In the order in which they run where none is named: the last one waits for what is built
    /// meanwhile. `cni` is a part of `netns`.
    pub(crate) const ALL: &[Self] =
        &[Self::Unit, Self::Scenarios, Self::Programs, Self::Netns, Self::Diff];

    /// As on the command line and in the budget.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Scenarios => "scenarios",
            Self::Programs => "programs",
            Self::Netns => "netns",
            Self::Cni => "cni",
            Self::Diff => "diff",
        }
    }

    /// Whether it takes root.
    pub(crate) fn is_privileged(self) -> bool {
        match self {
            Self::Unit | Self::Scenarios => false,
            Self::Programs | Self::Netns | Self::Cni | Self::Diff => true,
        }
    }

    /// Whether it has the CNI plugin's suite.
    pub(crate) fn has_cni(self) -> bool {
        match self {
            Self::Netns | Self::Cni => true,
            Self::Unit | Self::Scenarios | Self::Programs | Self::Diff => false,
        }
    }

    /// The commands that run it, of which a comparison has none.
    pub(crate) fn commands(self) -> Vec<Command> {
        match self {
            Self::Unit => vec![
                all_crates(),
                cargo_test("dataplane-common", &[]),
                cargo_test("waggle-agent", &["--lib", "--bins"]),
                cargo_test("waggle-agent", &["--doc"]),
            ],
            Self::Scenarios => vec![cargo_test("waggle-agent", &["--test", "*"])],
            Self::Programs => PROGRAMS.iter().map(|suite| privileged(*suite)).collect(),
            Self::Netns => NETNS.iter().map(|suite| privileged(*suite)).collect(),
            Self::Cni => vec![privileged(CNI)],
            Self::Diff => Vec::new(),
        }
    }
}

/// The command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let arguments: Vec<_> = command.get_args().map(|argument| argument.to_string_lossy()).collect();
    format!("cargo {}", arguments.join(" "))
}

/// Together, so that dataplane-common has the features that user space gives it.
fn all_crates() -> Command {
    let mut command = cargo();
    command.args(["test", "--locked", "--no-fail-fast", "--features", "dataplane-common/user"]);
    for name in CRATES {
        command.args(["--package", name]);
    }
    command
}

fn cargo_test(package: &str, selection: &[&str]) -> Command {
    let mut command = cargo();
    command.args(["test", "--locked", "--no-fail-fast", "--package", package]).args(selection);
    command
}

fn privileged((suite, at_once): Suite) -> Command {
    let mut command = cargo_test("waggle-tests", &["--test", suite]);
    command.args(["--", "--test-threads", at_once]);
    if suite == CNI.0 {
        // How many instants there were, and the seed, are told by tests that pass.
        command.arg("--show-output");
    }
    command
}

#[cfg(test)]
mod tests {
    use cargo_metadata::MetadataCommand;

    use super::{NETNS, PROGRAMS};
    use crate::workspace::root;

    #[test]
    fn every_privileged_suite_is_in_a_tier() {
        let mut command = MetadataCommand::new();
        let packages = command.manifest_path(root().join("Cargo.toml")).no_deps().exec().unwrap();
        let tests = packages.packages.iter().find(|package| package.name == "waggle-tests");
        let suites = tests.unwrap().targets.iter().filter(|target| target.is_test());
        for suite in suites.map(|target| target.name.as_str()) {
            assert!(PROGRAMS.iter().chain(NETNS).any(|(name, _)| *name == suite), "{suite}");
        }
    }
}
