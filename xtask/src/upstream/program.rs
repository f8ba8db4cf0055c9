//! A program, and how Go builds it.

use std::{ffi::OsStr, fs, path::Path, process::Command};

use anyhow::{Context as _, Result};

use super::{Work, compiler::Compiler};
use crate::{progress::step, workspace};

/// The module that requires the programs' modules, each at its version.
pub(super) const MODULE: &str = "xtask/src/upstream/module";

const GO_MOD: &str = include_str!("module/go.mod");

/// A program of another project.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Program {
    /// Its file.
    pub(super) name: &'static str,
    /// Its main package; tools.go imports it.
    package: &'static str,
}

/// All that are built.
pub(super) const PROGRAMS: &[Program] = &[
    Program { name: "etcd", package: "go.etcd.io/etcd/server/v3" },
    Program { name: "kube-apiserver", package: "k8s.io/kubernetes/cmd/kube-apiserver" },
    Program { name: "kube-proxy", package: "k8s.io/kubernetes/cmd/kube-proxy" },
];

/// The packages that hold the version a program of Kubernetes reports, compares and refuses by.
const VERSIONS: &[&str] = &["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"];

impl Program {
    /// Builds it in `work` and moves it into `folder`, whole or not at all.
    pub(super) fn build(&self, compiler: &Compiler, work: &Work, folder: &Path) -> Result<()> {
        let (draft, path) = (work.folder.join(self.name), folder.join(self.name));
        step(&format!("building {}", self.name), &mut self.command(compiler, work, &draft)?)
            .with_context(|| remedy(self.name))?;
        fs::rename(&draft, &path).with_context(|| format!("moving to {}", path.display()))
    }

    fn command(&self, compiler: &Compiler, work: &Work, draft: &Path) -> Result<Command> {
        let mut command = Command::new("nice");
        command.args(["-n", "19"]).arg(compiler.program()).args(["build", "-mod=readonly"]);
        // Modules that are read-only could be removed by nobody but `go clean`.
        command.args(["-modcacherw", "-trimpath", "-buildvcs=false"]);
        command.arg("-ldflags").arg(flags(kubernetes()?)).arg("-o").arg(draft).arg(self.package);
        command.envs(work.variables()).env("CGO_ENABLED", "0").env("GOWORK", "off");
        command.env("GOTOOLCHAIN", "local");
        for foreign in ["GOROOT", "GOOS", "GOARCH"].map(OsStr::new) {
            command.env_remove(foreign);
        }
        command.current_dir(workspace::root().join(MODULE));
        Ok(command)
    }
}

/// The version of Kubernetes that go.mod requires.
pub(super) fn kubernetes() -> Result<&'static str> {
    let required = GO_MOD.lines().find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes "));
    required.with_context(|| format!("finding k8s.io/kubernetes in {MODULE}/go.mod"))
}

/// For the linker: no symbols, and the version, which Kubernetes' own build takes from git.
fn flags(version: &str) -> String {
    let mut numbers = version.trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next().unwrap_or(""), numbers.next().unwrap_or(""));
    let mut flags = vec!["-s -w".to_owned()];
    for package in VERSIONS {
        flags.push(format!("-X {package}.gitVersion={version}"));
        flags.push(format!("-X {package}.gitMajor={major} -X {package}.gitMinor={minor}"));
    }
    flags.join(" ")
}

fn remedy(name: &str) -> String {
    format!(
        "{name} needs the Go modules of {MODULE}/go.sum, 4 GB of disk and 2 GB of memory; where \
         they cannot be fetched, set GOPROXY to a proxy that has them"
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{GO_MOD, PROGRAMS, flags, kubernetes};
    use crate::pins;

    const TOOLS: &str = include_str!("module/tools.go");

    #[test]
    fn the_module_imports_the_programs_and_nothing_else() {
        let imported = TOOLS.lines().filter_map(|line| line.trim().strip_prefix("_ \""));
        let imported: BTreeSet<_> = imported.filter_map(|line| line.strip_suffix('"')).collect();
        assert_eq!(imported, PROGRAMS.iter().map(|program| program.package).collect());
    }

    #[test]
    fn every_staging_module_is_of_the_release() {
        let release = kubernetes().unwrap().replacen("v1.", "v0.", 1);
        let replaced = GO_MOD.lines().filter_map(|line| line.split_once(" => "));
        let others: Vec<_> = replaced
            .filter(|(module, with)| *with != format!("{} {release}", module.trim()))
            .collect();
        assert!(others.is_empty(), "{others:?}");
    }

    #[test]
    fn the_compiler_is_as_new_as_the_module_asks() {
        let minor = |version: &str| version.split('.').nth(1).unwrap().parse::<u32>().unwrap();
        let asked = GO_MOD.lines().find_map(|line| line.strip_prefix("go ")).unwrap();
        assert!(minor(pins::GO) >= minor(asked), "{} for {asked}", pins::GO);
    }

    #[test]
    fn programs_report_the_version_that_is_pinned() {
        assert_eq!(
            flags("v1.36.3"),
            "-s -w \
             -X k8s.io/component-base/version.gitVersion=v1.36.3 \
             -X k8s.io/component-base/version.gitMajor=1 \
             -X k8s.io/component-base/version.gitMinor=36 \
             -X k8s.io/client-go/pkg/version.gitVersion=v1.36.3 \
             -X k8s.io/client-go/pkg/version.gitMajor=1 \
             -X k8s.io/client-go/pkg/version.gitMinor=36"
        );
    }
}
