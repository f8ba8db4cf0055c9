//! No Rust file that no crate compiles.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::Result;
use cargo_metadata::MetadataCommand;

use super::{
    Outcome,
    source::{Source, Sources},
};
use crate::workspace;

/// Finds files that are in no list of modules.
pub(crate) fn check(sources: &Sources) -> Result<Outcome> {
    let by_path: BTreeMap<&Path, &Source> =
        sources.0.iter().map(|source| (source.path.as_path(), source)).collect();
    let mut reached = BTreeSet::new();
    let roots = roots("Cargo.toml")?.into_iter().chain(roots("dataplane-ebpf/Cargo.toml")?);
    for root in roots {
        reach(&root, true, &by_path, &mut reached);
    }
    let orphans = by_path.keys().filter(|path| !reached.contains(**path));
    let findings = orphans.map(|path| format!("{} is in no `mod` list", path.display()));
    Ok(findings.collect::<Vec<_>>().into())
}

/// The files that cargo starts from.
fn roots(manifest: &str) -> Result<Vec<PathBuf>> {
    let root = workspace::root();
    let mut command = MetadataCommand::new();
    command.manifest_path(root.join(manifest)).no_deps();
    let packages = command.exec()?.packages;
    let targets = packages.into_iter().flat_map(|package| package.targets);
    let paths = targets.map(|target| target.src_path.into_std_path_buf());
    Ok(paths.filter_map(|path| Some(path.strip_prefix(&root).ok()?.to_path_buf())).collect())
}

fn reach(
    path: &Path,
    is_root: bool,
    by_path: &BTreeMap<&Path, &Source>,
    reached: &mut BTreeSet<PathBuf>,
) {
    let Some(source) = by_path.get(path) else { return };
    if !reached.insert(path.to_path_buf()) {
        return;
    }
    let beside = path.parent().unwrap_or(Path::new(""));
    let owns_folder = is_root || path.file_stem().is_some_and(|stem| stem == "mod");
    let below = if owns_folder { beside.to_path_buf() } else { path.with_extension("") };
    for module in modules(source) {
        match module {
            Module::Named(name) => {
                reach(&below.join(&name).with_extension("rs"), false, by_path, reached);
                reach(&below.join(name).join("mod.rs"), false, by_path, reached);
            }
            Module::At(file) => reach(&beside.join(file), false, by_path, reached),
        }
    }
}

enum Module {
    /// Below the modules written out in the same file.
    Named(PathBuf),
    At(PathBuf),
}

fn modules(source: &Source) -> Vec<Module> {
    let (mut path, mut within, mut modules) = (None, Vec::new(), Vec::new());
    for line in source.text.lines() {
        let (indent, line) = (line.len() - line.trim_start().len(), line.trim());
        // Formatted code closes a block where it opened it.
        if line == "}" {
            within.retain(|(opened, _)| *opened < indent);
        } else if let Some(name) = line.strip_suffix(" {").and_then(module_name) {
            within.push((indent, name));
        } else if let Some(file) = line.strip_prefix("#[path = \"") {
            path = file.strip_suffix("\"]").map(PathBuf::from);
        } else if let Some(name) = line.strip_suffix(';').and_then(module_name) {
            let folder: PathBuf = within.iter().map(|(_, name)| name).collect();
            modules.push(path.take().map_or(Module::Named(folder.join(name)), Module::At));
        }
    }
    modules
}

/// `name` of `pub(crate) mod name`.
fn module_name(line: &str) -> Option<&str> {
    let (before, name) = line.rsplit_once("mod ")?;
    (before.is_empty() || before.starts_with("pub")).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(files: &[(&str, &str)]) -> Vec<Source> {
        files
            .iter()
            .map(|(path, text)| Source { path: path.into(), text: (*text).to_owned() })
            .collect()
    }

    #[test]
    fn modules_are_followed_as_the_compiler_does() {
        let files = sources(&[
            ("a/src/main.rs", "mod one;\npub(crate) mod two;\n#[path = \"odd/name.rs\"]\nmod x;"),
            ("a/src/one.rs", "mod inner;\n// mod lost;"),
            ("a/src/one/inner.rs", ""),
            ("a/src/two/mod.rs", "pub mod deep {\n    mod er;\n}\nmod deep_too;"),
            ("a/src/two/deep/er.rs", ""),
            ("a/src/two/deep_too.rs", ""),
            ("a/src/odd/name.rs", ""),
            ("a/src/lost.rs", ""),
        ]);
        let by_path = files.iter().map(|source| (source.path.as_path(), source)).collect();
        let mut reached = BTreeSet::new();
        reach(Path::new("a/src/main.rs"), true, &by_path, &mut reached);
        let orphans: Vec<_> =
            by_path.keys().filter(|path| !reached.contains(**path)).copied().collect();
        assert_eq!(orphans, [Path::new("a/src/lost.rs")]);
    }
}
