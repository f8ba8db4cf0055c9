//! Spans of time as text: `30s`, `1h30m`, `250ms`.

use std::str::FromStr;
use std::time::Duration;

use jiff::fmt::friendly::SpanParser;
use serde::{Deserialize as _, Deserializer, de};

/// A span of time that is not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period(pub(super) Duration);

/// A text that is no span of time.
#[derive(Debug, thiserror::Error)]
#[error("\"{0}\" is no span of time; write it as 30s or 1h30m")]
pub(super) struct NoPeriod(String);

impl FromStr for Period {
    type Err = NoPeriod;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "0" {
            return Ok(Self(Duration::ZERO));
        }
        let parsed = SpanParser::new().parse_unsigned_duration(text);
        parsed.map(Self).map_err(|_| NoPeriod(text.to_owned()))
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    let period: Result<Period, _> = String::deserialize(deserializer)?.parse();
    period.map(|Period(duration)| duration).map_err(de::Error::custom)
}

/// Like [`deserialize`], for what something is done by: no time at all is none.
pub(super) fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let period = deserialize(deserializer)?;
    let refusal = "it must be longer than no time at all; leave it out for what is usual";
    if period.is_zero() { Err(de::Error::custom(refusal)) } else { Ok(period) }
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
            let expected = milliseconds.map(|number| Period(Duration::from_millis(number)));
            assert_eq!(text.parse().ok(), expected, "{text}");
        }
    }
}
