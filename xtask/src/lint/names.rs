//! No module whose name says nothing.

use super::{
    Outcome,
    source::{Source, Sources},
};

const FORBIDDEN: &[&str] =
    &["util", "utils", "helper", "helpers", "manager", "common", "misc", "stuff", "lib2"];

/// Finds files and folders with such a name.
pub(crate) fn check(sources: &Sources) -> Outcome {
    sources.0.iter().filter_map(finding).collect::<Vec<_>>().into()
}

fn finding(source: &Source) -> Option<String> {
    let path = source.path.with_extension("");
    let parts = path.iter().map(|part| part.to_string_lossy().into_owned());
    let name = parts.into_iter().find(|part| FORBIDDEN.contains(&part.as_str()))?;
    Some(format!("{}: `{name}` says nothing; name it after what it holds", source.path.display()))
}
