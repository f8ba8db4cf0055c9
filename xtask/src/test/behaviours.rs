//! docs/testing.md names the tests that prove each behaviour: they must be there.

use std::fs;

use crate::lint::source::{Source, Sources};
use crate::workspace;

/// The rows of the tables whose second column is `tests`: what is proved, and by what.
fn rows(text: &str) -> Vec<(&str, Vec<&str>)> {
    let mut rows = Vec::new();
    let mut is_proof = false;
    for line in text.lines() {
        let row = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |"));
        match row.and_then(|row| row.split_once(" | ")) {
            None => is_proof &= line.starts_with("|-"),
            Some((_, "tests")) => is_proof = true,
            Some((first, tests)) if is_proof => rows.push((first, tests.split(", ").collect())),
            Some(_) => {}
        }
    }
    rows
}

/// The stories, which are files of their own.
fn stories() -> Vec<String> {
    let folder = workspace::root().join("agent/tests/scenarios");
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| format!("agent/tests/scenarios/{}", entry.unwrap().file_name().display()))
        .collect()
}

/// What is wrong with the name of a test: `folder/file::function` or a story's `scenarios/name.txt`,
/// where as many folders stand as tell files apart.
fn finding(name: &str, sources: &Sources, stories: &[String]) -> Option<String> {
    let Some(name) = name.strip_prefix('`').and_then(|name| name.strip_suffix('`')) else {
        return Some(format!("{name} is no name in backquotes"));
    };
    let Some((path, function)) = name.split_once("::") else {
        let is_there = stories.iter().any(|story| story.ends_with(&format!("/{name}")));
        return (!is_there).then(|| format!("{name} is no story"));
    };
    let end = format!("/{path}.rs");
    let is_it = |source: &&Source| format!("/{}", source.path.display()).ends_with(&end);
    let mut files = sources.0.iter().filter(is_it);
    let (Some(file), None) = (files.next(), files.next()) else {
        return Some(format!("{path} is not the name of just one file"));
    };
    let names = [format!("fn {function}("), format!("fn {function}<")];
    let is_there = names.iter().any(|name| file.text.contains(name));
    (!is_there).then(|| format!("{path} has no {function}"))
}

#[test]
fn every_test_that_proves_a_behaviour_is_there() {
    let text = fs::read_to_string(workspace::root().join("docs/testing.md")).unwrap();
    let (sources, stories, rows) = (Sources::read().unwrap(), stories(), rows(&text));
    assert!(rows.len() > 100, "{} rows", rows.len());
    let tests = rows.iter().flat_map(|(_, tests)| tests);
    let findings: Vec<_> = tests.filter_map(|name| finding(name, &sources, &stories)).collect();
    assert!(findings.is_empty(), "docs/testing.md:\n{}", findings.join("\n"));
}

#[test]
fn names_of_tests_are_looked_for_where_they_are_said_to_be() {
    let (sources, stories) = (Sources::read().unwrap(), stories());
    for (name, expected) in [
        ("`test/behaviours::finding`", None),
        ("`scenarios/hints.txt`", None),
        ("`scenarios/none.txt`", Some("scenarios/none.txt is no story")),
        ("`test/behaviours::nothing`", Some("test/behaviours has no nothing")),
        ("`mod::nothing`", Some("mod is not the name of just one file")),
        ("plain", Some("plain is no name in backquotes")),
    ] {
        assert_eq!(finding(name, &sources, &stories).as_deref(), expected, "{name}");
    }
    let text =
        "| a | tests |\n|---|---|\n| b | `c::d`, `e::f` |\n\n| g | h |\n|---|---|\n| i | j |\n";
    assert_eq!(rows(text), [("b", vec!["`c::d`", "`e::f`"])]);
}
