//! Spans of time as text: `30s`, `1h30m`, `250ms`.

use std::time::Duration;

use jiff::fmt::friendly::SpanParser;
use serde::{Deserialize as _, Deserializer, de};

/// A text that is no span of time.
#[derive(Debug, thiserror::Error)]
#[error("\"{0}\" is no span of time; write it as 30s or 1h30m")]
pub(super) struct NoPeriod(String);

/// Reads a span of time that is not negative.
pub(super) fn parse(text: &str) -> Result<Duration, NoPeriod> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    SpanParser::new().parse_unsigned_duration(text).map_err(|_| NoPeriod(text.to_owned()))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_go_writes_them() {
        for (text, milliseconds) in [
            ("0", Some(0)),
            ("0s", Some(0)),
            ("250ms", Some(250)),
            ("1.5s", Some(1_500)),
            ("24h0m0s", Some(86_400_000)),
            ("2h22m", Some(8_520_000)),
            ("-1s", None),
            ("30", None),
            ("", None),
        ] {
            assert_eq!(parse(text).ok(), milliseconds.map(Duration::from_millis), "{text}");
        }
    }
}
