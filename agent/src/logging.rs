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

/// Logs what changed between two rounds' problems, both in order: each once as it appears and once
/// as it is gone.
pub fn log_transitions(before: &[Problem], after: &[Problem]) {
    for problem in missing(after, before) {
        match problem.severity {
            Severity::Error => warn!("{problem}"),
            Severity::Note => info!("{problem}"),
        }
    }
    for problem in missing(before, after) {
        info!("mended: {problem}");
    }
}

/// What of `these` is not among `those`, by one walk along both: they are in order, and may be many.
fn missing<'a, T: Ord>(these: &'a [T], those: &'a [T]) -> impl Iterator<Item = &'a T> {
    let mut those = those.iter().peekable();
    these.iter().filter(move |this| {
        while those.next_if(|that| that < this).is_some() {}
        those.peek() != Some(this)
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::cmp::Ordering;

    use super::*;

    #[test]
    fn what_appears_and_what_is_gone_is_told_and_nothing_that_stays() {
        for (before, after, appeared, gone) in [
            ("", "", "", ""),
            ("", "ab", "ab", ""),
            ("ab", "", "", "ab"),
            ("ab", "bc", "c", "a"),
            ("acf", "bcde", "bde", "af"),
            ("aab", "abb", "", ""),
        ] {
            let [first, second] = [before, after].map(|text| text.chars().collect::<Vec<_>>());
            let told = [missing(&second, &first), missing(&first, &second)];
            let told = told.map(Iterator::collect::<String>);
            assert_eq!(told, [appeared, gone], "{before} -> {after}");
        }
    }

    thread_local! {
        static COMPARED: Cell<usize> = const { Cell::new(0) };
    }

    /// Counts how often it is compared.
    #[derive(Debug)]
    struct Counting(usize);

    impl Ord for Counting {
        fn cmp(&self, other: &Self) -> Ordering {
            COMPARED.set(COMPARED.get() + 1);
            self.0.cmp(&other.0)
        }
    }

    impl PartialOrd for Counting {
        fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
            Some(self.cmp(other))
        }
    }

    impl PartialEq for Counting {
        fn eq(&self, other: &Self) -> bool {
            self.cmp(other) == Ordering::Equal
        }
    }

    impl Eq for Counting {}

    #[test]
    fn each_of_many_problems_is_compared_a_few_times() {
        const MANY: usize = 50_000;
        let before: Vec<_> = (0..MANY).map(|number| Counting(2 * number)).collect();
        let after: Vec<_> = (0..MANY).map(|number| Counting(3 * number)).collect();
        assert_eq!(missing(&after, &before).count(), MANY - MANY.div_ceil(3));
        assert!(COMPARED.get() <= 3 * (before.len() + after.len()), "{}", COMPARED.get());
    }
}
