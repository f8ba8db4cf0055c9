//! No file longer than a person reads at once.

use super::{
    Outcome,
    source::{Source, Sources},
};

const LIMIT: usize = 400;
const TEST_LIMIT: usize = 600;

/// Finds files over their limit.
pub(crate) fn check(sources: &Sources) -> Outcome {
    sources.0.iter().filter_map(finding).collect::<Vec<_>>().into()
}

fn finding(source: &Source) -> Option<String> {
    let limit = if source.is_test() { TEST_LIMIT } else { LIMIT };
    let lines = source.text.lines().count();
    (lines > limit).then(|| {
        format!("{} has {lines} lines, over {limit}: split it by noun", source.path.display())
    })
}
