//! A program, and how Go builds it.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::{Work, compiler::Compiler};
use crate::{progress::step, workspace};

/// Programs that are built together, and the file that pins what they are built from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Module {
    /// Begins the names of its folders in the cache, and is what others wait for.
    pub(super) name: &'static str,
    /// Where go.mod, go.sum and tools.go are, below the workspace.
    folder: &'static str,
    go_mod: &'static str,
    /// The module whose version is that of the programs.
    leader: &'static str,
    /// The packages that hold the version a program reports, compares and refuses by.
    versions: &'static [&'static str],
    /// What a build takes beside the modules.
    takes: &'static str,
    /// What is built.
    pub(super) programs: &'static [Program],
}

/// A program of another project.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Program {
    /// Its file.
    pub(super) name: &'static str,
    /// Its main package; tools.go imports it.
    package: &'static str,
}

/// What Waggle is compared with.
pub(super) const KUBERNETES: Module = Module {
    name: "upstream",
    folder: "xtask/src/upstream/module",
    go_mod: include_str!("module/go.mod"),
    leader: "k8s.io/kubernetes",
    versions: &["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"],
    takes: "4 GB of disk and 2 GB of memory",
    programs: &[
        Program { name: "etcd", package: "go.etcd.io/etcd/server/v3" },
        Program { name: "kube-apiserver", package: "k8s.io/kubernetes/cmd/kube-apiserver" },
        Program { name: "kube-proxy", package: "k8s.io/kubernetes/cmd/kube-proxy" },
    ],
};

/// What calls CNI plugins as runtimes do.
pub(super) const CNITOOL: Module = Module {
    name: "cnitool",
    folder: "xtask/src/upstream/cnitool",
    go_mod: include_str!("cnitool/go.mod"),
    leader: "github.com/containernetworking/cni",
    versions: &[],
    takes: "300 MB of disk",
    programs: &[Program { name: "cnitool", package: "github.com/containernetworking/cni/cnitool" }],
};

impl Module {
    /// The version of its leader that go.mod requires.
    pub(super) fn version(&self) -> Result<&'static str> {
        let words = |line: &'static str| line.trim().trim_start_matches("require ").split_once(' ');
        let mut required = self.go_mod.lines().filter_map(words);
        let found = required.find(|(module, _)| *module == self.leader);
        let (_, version) =
            found.with_context(|| format!("finding {} in {}/go.mod", self.leader, self.folder))?;
        Ok(version)
    }

    /// Those of its programs that are not in a folder.
    pub(super) fn missing(&self, folder: &Path) -> Vec<&'static Program> {
        self.programs.iter().filter(|program| !folder.join(program.name).is_file()).collect()
    }

    /// Builds a program in `work` and moves it into `folder`, whole or not at all.
    pub(super) fn build(
        &self,
        program: &Program,
        compiler: &Compiler,
        work: &Work,
        folder: &Path,
    ) -> Result<()> {
        let (draft, path) = (work.folder.join(program.name), folder.join(program.name));
        let mut command = self.command(compiler, work)?;
        command.arg("-o").arg(&draft).arg(program.package);
        step(&format!("building {}", program.name), &mut command)
            .with_context(|| self.remedy(program))?;
        fs::rename(&draft, &path).with_context(|| format!("moving to {}", path.display()))
    }

    fn command(&self, compiler: &Compiler, work: &Work) -> Result<Command> {
        let mut command = Command::new("nice");
        command.args(["-n", "19"]).arg(compiler.program()).args(["build", "-mod=readonly"]);
        // Modules that are read-only could be removed by nobody but `go clean`.
        command.args(["-modcacherw", "-trimpath", "-buildvcs=false"]);
        command.arg("-ldflags").arg(self.flags(self.version()?));
        command.envs(work.variables()).env("CGO_ENABLED", "0").env("GOWORK", "off");
        command.env("GOTOOLCHAIN", "local");
        for foreign in ["GOROOT", "GOOS", "GOARCH"].map(OsStr::new) {
            command.env_remove(foreign);
        }
        command.current_dir(self.source());
        Ok(command)
    }

    fn source(&self) -> PathBuf {
        workspace::root().join(self.folder)
    }

    /// For the linker: no symbols, and the version, which Kubernetes' own build takes from git.
    fn flags(&self, version: &str) -> String {
        let mut numbers = version.trim_start_matches('v').split('.');
        let (major, minor) = (numbers.next().unwrap_or(""), numbers.next().unwrap_or(""));
        let mut flags = vec!["-s -w".to_owned()];
        for package in self.versions {
            flags.push(format!("-X {package}.gitVersion={version}"));
            flags.push(format!("-X {package}.gitMajor={major} -X {package}.gitMinor={minor}"));
        }
        flags.join(" ")
    }

    fn remedy(&self, program: &Program) -> String {
        let Self { folder, takes, .. } = self;
        format!(
            "{} needs the Go modules of {folder}/go.sum, {takes}; where they cannot be fetched, set \
             GOPROXY to a proxy that has them",
            program.name
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{CNITOOL, KUBERNETES, Module};
    use crate::pins;

    const BOTH: [(Module, &str); 2] = [
        (KUBERNETES, include_str!("module/tools.go")),
        (CNITOOL, include_str!("cnitool/tools.go")),
    ];

    #[test]
    fn each_module_imports_its_programs_and_nothing_else() {
        for (module, tools) in BOTH {
            let imported = tools.lines().filter_map(|line| line.trim().strip_prefix("_ \""));
            let imported: BTreeSet<_> =
                imported.filter_map(|line| line.strip_suffix('"')).collect();
            let packages = module.programs.iter().map(|program| program.package).collect();
            assert_eq!(imported, packages, "{}", module.name);
        }
    }

    #[test]
    fn every_module_has_a_version() {
        for (module, _) in BOTH {
            assert!(module.version().unwrap().starts_with("v1."), "{}", module.name);
        }
    }

    #[test]
    fn every_staging_module_is_of_the_release() {
        let release = KUBERNETES.version().unwrap().replacen("v1.", "v0.", 1);
        let replaced = KUBERNETES.go_mod.lines().filter_map(|line| line.split_once(" => "));
        let others: Vec<_> = replaced
            .filter(|(module, with)| *with != format!("{} {release}", module.trim()))
            .collect();
        assert!(others.is_empty(), "{others:?}");
    }

    #[test]
    fn the_compiler_is_as_new_as_each_module_asks() {
        let minor = |version: &str| version.split('.').nth(1).unwrap().parse::<u32>().unwrap();
        for (module, _) in BOTH {
            let asked = module.go_mod.lines().find_map(|line| line.strip_prefix("go ")).unwrap();
            assert!(minor(pins::GO) >= minor(asked), "{} for {asked}", pins::GO);
        }
    }

    #[test]
    fn programs_report_the_version_that_is_pinned() {
        assert_eq!(
            KUBERNETES.flags("v1.36.3"),
            "-s -w \
             -X k8s.io/component-base/version.gitVersion=v1.36.3 \
             -X k8s.io/component-base/version.gitMajor=1 \
             -X k8s.io/component-base/version.gitMinor=36 \
             -X k8s.io/client-go/pkg/version.gitVersion=v1.36.3 \
             -X k8s.io/client-go/pkg/version.gitMajor=1 \
             -X k8s.io/client-go/pkg/version.gitMinor=36"
        );
        assert_eq!(CNITOOL.flags("v1.3.1"), "-s -w");
    }
}
