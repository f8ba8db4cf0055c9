//! How many tests passed and failed, as told by cargo's own summaries.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};

/// Tests that ran.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

/// Runs `cargo test`, shows what it says and counts.
///
/// A command that fails without a failed test (it did not compile, a test binary died) counts as
/// one failure: there are tests that did not run.
pub(crate) fn run(command: &mut Command) -> Result<Summary> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let stdout = child.stdout.take().context("a piped stdout is there")?;
    let mut counter = Counter::default();
    for line in BufReader::new(stdout).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        println!("{line}");
        counter.read(&line);
    }
    let Counter { mut summary, .. } = counter;
    if !child.wait()?.success() && summary.failed == 0 {
        summary.failed = 1;
    }
    Ok(summary)
}

/// Reads what test binaries write.
///
/// A test may start its own binary again, as another user or in a namespace of its own, whose
/// summary then stands among the outer one's lines and must not count twice.
#[derive(Default)]
struct Counter {
    /// How many tests each binary that has started and not ended announced, outermost first.
    running: Vec<u64>,
    summary: Summary,
}

impl Counter {
    fn read(&mut self, line: &str) {
        self.running.extend(announced(line));
        let Some(counted) = parse(line) else { return };
        let total = counted.passed + counted.failed;
        // One that died has no summary, so the last is not always the one that ends.
        let ended = self.running.iter().rposition(|tests| *tests == total).unwrap_or(0);
        self.running.truncate(ended);
        if ended == 0 {
            self.summary.add(counted);
        }
    }
}

/// The number in `running 3 tests`.
fn announced(line: &str) -> Option<u64> {
    let (number, unit) = line.strip_prefix("running ")?.split_once(' ')?;
    ["test", "tests"].contains(&unit).then(|| number.parse().ok())?
}

/// The counts of `test result: ok. 3 passed; 0 failed; …`; an ignored test counts as failed,
/// since this project has none.
fn parse(line: &str) -> Option<Summary> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let count = |what: &str| {
        counts.split("; ").find_map(|part| part.strip_suffix(what)?.trim().parse::<u64>().ok())
    };
    let failed = count("failed")? + count("ignored").unwrap_or(0);
    Some(Summary { passed: count("passed")?, failed })
}

impl Summary {
    /// Counts another run too.
    pub(crate) fn add(&mut self, other: Self) {
        let Self { passed, failed } = other;
        self.passed += passed;
        self.failed += failed;
    }

    /// Whether tests ran and all passed.
    pub(crate) fn is_success(&self) -> bool {
        self.failed == 0 && self.passed > 0
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{Counter, Summary, parse, run};

    #[test]
    fn summaries_are_counted() {
        let rows = [
            (
                "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out",
                Some(Summary { passed: 3, failed: 0 }),
            ),
            (
                "test result: FAILED. 3 passed; 2 failed; 1 ignored; 0 measured",
                Some(Summary { passed: 3, failed: 3 }),
            ),
            ("test packet::reads ... ok", None),
            ("test result: ok. many passed", None),
        ];
        for (line, expected) in rows {
            assert_eq!(parse(line), expected, "{line}");
        }
    }

    #[test]
    fn a_binary_within_a_test_does_not_count_twice() {
        let mut counter = Counter::default();
        for line in [
            "running 3 tests",
            "running 1 test",
            "running 1 test",
            "test result: ok. 1 passed; 0 failed; 0 ignored",
            "test result: FAILED. 2 passed; 1 failed; 0 ignored",
            "running 0 tests",
            "test result: ok. 0 passed; 0 failed; 0 ignored",
            "running 2 tests",
            "test result: ok. 2 passed; 0 failed; 0 ignored",
        ] {
            counter.read(line);
        }
        assert_eq!(counter.summary, Summary { passed: 4, failed: 1 });
    }

    #[test]
    fn a_run_that_dies_early_is_a_failure() {
        let mut command = Command::new("false");
        assert_eq!(run(&mut command).unwrap(), Summary { passed: 0, failed: 1 });
    }

    #[test]
    fn nothing_run_is_no_success() {
        assert!(!Summary::default().is_success());
    }
}
