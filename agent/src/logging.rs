//! The log: lines or JSON objects on standard error.

use anyhow::Context as _;
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;

use crate::cli::LogFormat;
use crate::config::LogLevel;
use crate::problem::{Problem, Severity};

const FILTER: &str = "RUST_LOG";

/// What fails at the API is a problem, told once; the client logs it at each try.
const SAID_ELSEWHERE: &str = "kube_client=off";

/// Begins to log. `RUST_LOG` says what, else `level` does.
///
/// # Errors
/// When `RUST_LOG` cannot be understood.
pub fn begin(format: LogFormat, level: LogLevel) -> anyhow::Result<()> {
    let filter = match std::env::var(FILTER) {
        Ok(text) if !text.is_empty() => EnvFilter::try_new(&text).with_context(|| {
            format!("{FILTER}={text}: give a level such as debug, or TARGET=LEVEL,...")
        })?,
        _ => EnvFilter::new(format!("{},{SAID_ELSEWHERE}", level.as_str())),
    };
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let begun = match format {
        LogFormat::Text => log.with_ansi(false).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    begun.map_err(|error| anyhow::anyhow!("failed to begin the log: {error}"))
}

/// Logs what changed between two rounds' problems, which are in order: each once as it appears and
/// once as it is gone.
pub fn log_transitions(before: &[Problem], after: &[Problem]) {
    let (appeared, gone) = transitions(before, after);
    for problem in appeared {
        match problem.severity {
            Severity::Error => warn!("{problem}"),
            Severity::Note => info!("{problem}"),
        }
    }
    for problem in gone {
        info!("mended: {problem}");
    }
}

fn transitions<'a>(
    before: &'a [Problem],
    after: &'a [Problem],
) -> (Vec<&'a Problem>, Vec<&'a Problem>) {
    let appeared = after.iter().filter(|problem| !before.contains(problem));
    let gone = before.iter().filter(|problem| !after.contains(problem));
    (appeared.collect(), gone.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_as_it_appears_and_as_it_is_gone() {
        let [a, b, c] = ["a", "b", "c"].map(|object| Problem::error(object, "is wrong"));
        let before = [a.clone(), b.clone()];
        let after = [b, c.clone()];
        assert_eq!(transitions(&before, &after), (vec![&c], vec![&a]));
        assert_eq!(transitions(&after, &after), (vec![], vec![]));
    }
}
