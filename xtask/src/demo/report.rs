//! Checks, the verdict over them, and how both are told.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use serde_json::json;

use crate::progress;

/// One thing that was to be seen.
#[derive(Debug)]
struct Check {
    name: &'static str,
    passed: bool,
    detail: String,
}

/// What is told, to people or at the end to a program.
#[derive(Debug)]
pub(super) struct Report {
    json: bool,
    checks: Vec<Check>,
}

impl Report {
    pub(super) fn new(json: bool) -> Self {
        Self { json, checks: Vec::new() }
    }

    /// Whether standard output is read by people.
    pub(super) fn is_for_people(&self) -> bool {
        !self.json
    }

    /// A line that is no check.
    pub(super) fn say(&self, text: &str) {
        if self.json {
            progress::say(text);
        } else {
            print(text);
        }
    }

    pub(super) fn passed(&mut self, name: &'static str, detail: &str) {
        self.add(Check { name, passed: true, detail: detail.to_owned() });
    }

    pub(super) fn failed(&mut self, name: &'static str, detail: &str) {
        self.add(Check { name, passed: false, detail: detail.to_owned() });
    }

    fn add(&mut self, check: Check) {
        let mark = if check.passed { "ok    " } else { "FAILED" };
        self.say(&format!("{mark}  {}: {}", check.name, check.detail));
        self.checks.push(check);
    }

    /// Tells the verdict and turns it into an exit code.
    pub(super) fn conclude(self) -> ExitCode {
        let Self { json, checks } = self;
        let failed = checks.iter().filter(|check| !check.passed).count();
        if json {
            let verdict = if failed == 0 { "pass" } else { "fail" };
            let checks: Vec<_> = checks
                .into_iter()
                .map(|Check { name, passed, detail }| {
                    json!({"name": name, "passed": passed, "detail": detail})
                })
                .collect();
            print(&json!({"verdict": verdict, "checks": checks}).to_string());
        } else if failed == 0 {
            print(&format!("\nPASS: all {} checks hold.", checks.len()));
        } else {
            print(&format!("\nFAIL: {failed} of {} checks do not hold.", checks.len()));
        }
        if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Writes a line to standard output, which may be closed.
pub(super) fn print(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}
