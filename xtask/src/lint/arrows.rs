//! The arrows between crates, and which module may know which foreign crate.

use anyhow::Result;
use cargo_metadata::{DependencyKind, MetadataCommand, Package};

use super::{
    Outcome,
    source::{Source, Sources},
};
use crate::workspace;

/// Which crates of ours a crate may depend on.
const ARROWS: &[(&str, &[&str])] = &[
    ("dataplane-common", &[]),
    ("hostnet", &["dataplane-common"]),
    ("replay", &[]),
    ("waggle-agent", &["dataplane-common", "hostnet", "replay"]),
    ("waggle-cni", &["dataplane-common", "hostnet"]),
    ("xtask", &["dataplane-common", "hostnet", "replay", "waggle-agent", "waggle-cni"]),
    (
        "waggle-tests",
        &["dataplane-common", "hostnet", "replay", "waggle-agent", "waggle-cni", "xtask"],
    ),
];

/// The crates that nothing foreign may be linked into.
const BARE: &[&str] = &["dataplane-common"];

/// Where a foreign crate may be named; everywhere else it may not.
const IMPORTS: &[(&str, &[&str])] = &[
    (
        "aya",
        &[
            "agent/src/loader",
            "agent/src/maps",
            "cni/src/datapath",
            "dataplane-common/src/abi/user.rs",
            "hostnet/src/cgroup.rs",
            "hostnet/src/hook",
            "tests",
        ],
    ),
    ("aya_ebpf", &["dataplane-ebpf"]),
    ("cni_plugin", &["cni/src/border"]),
    ("kube", &["agent/src/kube", "agent/tests/kube"]),
    ("k8s_openapi", &["agent/src/k8s", "agent/src/manifests", "agent/tests", "tests"]),
    ("rtnetlink", &["hostnet"]),
    ("netlink_packet_route", &["hostnet"]),
];

/// Finds dependencies and imports that point the wrong way.
pub(crate) fn check(sources: &Sources) -> Result<Outcome> {
    let mut command = MetadataCommand::new();
    command.manifest_path(workspace::root().join("Cargo.toml")).no_deps();
    let mut findings: Vec<String> =
        command.exec()?.packages.iter().flat_map(dependencies).collect();
    findings.extend(sources.0.iter().flat_map(imports));
    Ok(findings.into())
}

fn dependencies(package: &Package) -> Vec<String> {
    let name = package.name.as_str();
    let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| *from == name) else {
        return vec![format!(
            "{name} has no place in the order of crates; give it one in arrows.rs"
        )];
    };
    let ours = |crate_name: &str| ARROWS.iter().any(|(from, _)| *from == crate_name);
    let is_bare = BARE.contains(&name);
    let wrong = package.dependencies.iter().filter(|dependency| {
        let to = dependency.name.as_str();
        let is_linked = dependency.kind != DependencyKind::Development;
        (ours(to) && !allowed.contains(&to)) || (is_bare && is_linked && !dependency.optional)
    });
    wrong.map(|dependency| format!("{name} must not depend on {}", dependency.name)).collect()
}

fn imports(source: &Source) -> Vec<String> {
    let path = source.path.to_string_lossy();
    let forbidden = IMPORTS.iter().filter(|(_, allowed)| {
        // This file names them all.
        !path.starts_with("xtask/src/lint")
            && !allowed.iter().any(|prefix| path.starts_with(prefix))
    });
    let finding = |(name, allowed): &(&str, &[&str])| {
        let (line, _) = source.code().find(|(_, line)| names(line, name))?;
        Some(format!("{path}:{line} names {name}, which belongs to {}", allowed.join(", ")))
    };
    forbidden.filter_map(finding).collect()
}

/// Whether code names a crate: `name::` with no word or path before it.
fn names(line: &str, name: &str) -> bool {
    let path = format!("{name}::");
    line.match_indices(&path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    }) || line == format!("use {name};")
}

#[cfg(test)]
mod tests {
    use super::{Source, imports};

    fn findings(path: &str, text: &str) -> Vec<String> {
        imports(&Source { path: path.into(), text: text.to_owned() })
    }

    #[test]
    fn an_import_outside_its_module_is_found_with_its_line() {
        assert_eq!(
            findings("hostnet/src/link.rs", "//! Links.\nuse cni_plugin::reply::Ip;"),
            ["hostnet/src/link.rs:2 names cni_plugin, which belongs to cni/src/border"]
        );
    }

    #[test]
    fn allowed_and_similar_names_are_not_found() {
        let rows = [
            ("agent/src/maps/kernel.rs", "use aya::maps::HashMap;"),
            ("agent/src/model/name.rs", "use crate::aya::x;"),
            ("agent/src/model/name.rs", "use papaya::Map;"),
            ("agent/src/model/name.rs", "/// Like aya::Ebpf."),
        ];
        for (path, text) in rows {
            assert!(findings(path, text).is_empty(), "{path}: {text}");
        }
    }
}
